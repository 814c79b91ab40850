# A second stage 1 of the toy world: queries scored by text, and text met by the maps, as in
# FreeSeg; half as long. Its scores and CLIP's are fused (Eq. 9).
_base_ = './toy_proposals.py'
weights = 'toy'
model = dict(
    generator=dict(
        text=dict(dim=64, text_dim=192, hidden=(128,), scale=28.0),
        interaction=dict(dim=64, text_dim=192, inner=192, heads=4),
    ),
    classifier=dict(weights=weights),
    text=dict(weights=weights),
    fusion=dict(type='mmseg_zsclip.Ensemble', seen=0.3, unseen=0.7),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False, begin=0, end=2400)]
train_cfg = dict(max_iters=2400, val_interval=2400)
