# 40 steps: a short tuning helps the unseen classes, a longer one the seen ones at their expense
# (table 4c). The paper's rate, 1e-5, is for a CLIP twenty times as wide and a batch of 16.
optim_wrapper = dict(
    constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=3e-5, weight_decay=1e-5),
    clip_grad=dict(max_norm=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False, begin=0, end=40)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40, val_interval=40)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)
