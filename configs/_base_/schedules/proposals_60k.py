# Stage 1 of MAFT as in FreeSeg's code. Batch 32 in all: 8 a process on 4 GPUs. Frozen CLIP on a
# hundred sub-images of each photo is slow, so validation comes once.
optim_wrapper = dict(
    constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1.5e-4, weight_decay=1.5e-4),
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
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False, begin=0, end=60000)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=60000, val_interval=60000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=32)
