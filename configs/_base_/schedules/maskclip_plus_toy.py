# Minutes on two CPU cores: 600 steps of 8 crops of 64 pixels. The head starts from random weights,
# the tower from CLIP's, so that it learns at a tenth of the head's rate.
optim_wrapper = dict(
    constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={'backbone': dict(lr_mult=0.1)}),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=60),
    dict(type='PolyLR', power=0.9, eta_min=1e-6, by_epoch=False, begin=60, end=600),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=600, val_interval=600)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)
