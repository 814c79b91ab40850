# MasQ-tuning (MasQCLIP, section 5.2). Batch 4 in all: 1 a process on 4 GPUs.
optim_wrapper = dict(
    constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=0.01),
)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[9000], gamma=0.1, begin=0, end=10000)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=10000, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=4)
