# Pixel-text alignment on Cityscapes. Batch 8 in all: 2 a process on 4 GPUs.
_base_ = './pixel_text_160k.py'
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=90000)]
train_cfg = dict(max_iters=90000, val_interval=9000)
auto_scale_lr = dict(base_batch_size=8)
