# 4800 steps of 8 scenes of 128 pixels: half an hour or more on two CPU cores.
optim_wrapper = dict(
    constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False, begin=0, end=4800)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=4800, val_interval=4800)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)
