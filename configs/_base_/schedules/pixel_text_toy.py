# 7200 steps of 4 scenes of 128 pixels, the backbone at the full rate as in mta_clip_toy.py.
_base_ = './pixel_text_160k.py'
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=1.0)))
)
param_scheduler = [
    dict(_base_.param_scheduler[0], end=100),
    dict(_base_.param_scheduler[1], begin=100, end=7200),
]
train_cfg = dict(max_iters=7200, val_interval=2400)
auto_scale_lr = dict(base_batch_size=4)
