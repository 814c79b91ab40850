# A second stage 1 of the toy world: queries scored by text, and text met by the maps, as in
# FreeSeg; half as long. Its scores and CLIP's are fused (Eq. 9).
_base_ = [
    '../_base_/models/two_stage_toy.py',
    '../_base_/toy_instances.py',
    '../_base_/schedules/proposals_toy.py',
    '../_base_/default_runtime.py',
]
weights = 'toy'
model = dict(
    data_preprocessor=dict(size={{_base_.scale}}),
    generator=dict(
        text=dict(dim=64, text_dim=192, hidden=(128,), scale=28.0),
        interaction=dict(dim=64, text_dim=192, inner=192, heads=4),
    ),
    classifier=dict(weights=weights),
    text=dict(weights=weights),
    fusion=dict(type='mmseg_zsclip.Ensemble', seen=0.3, unseen=0.7),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(keep_proposals=True),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False, begin=0, end=2400)]
train_cfg = dict(max_iters=2400, val_interval=2400)
default_hooks = dict(logger=dict(interval=10))
