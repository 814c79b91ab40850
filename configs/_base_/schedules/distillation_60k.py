# Two rounds of 30,000 steps (MasQCLIP, section 5.2). Batch 4 in all: 1 a process on 4 GPUs.
optim_wrapper = dict(
    constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=0.01),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'generator.backbone': dict(lr_mult=0.1),
            'head.query_': dict(decay_mult=0.0),
            'head.level_embed': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = [dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=10)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60000, val_interval=60000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=4)
