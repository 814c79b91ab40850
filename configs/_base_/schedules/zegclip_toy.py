# Minutes on two CPU cores: 2000 steps of 4 crops of 64 pixels. Small batches learn the yes-or-no
# losses far faster here: 1600 steps of 4 crops were better than 600 of 16, in the same time.
optim_wrapper = dict(
    constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=200),
    dict(type='PolyLR', power=0.9, eta_min=1e-6, by_epoch=False, begin=200, end=2000),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2000, val_interval=2000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=4)
