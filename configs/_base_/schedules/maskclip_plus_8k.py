# As maskclip_plus_4k.py, 8k iterations.
_base_ = './maskclip_plus_4k.py'
param_scheduler = [dict(_base_.param_scheduler[0], end=8000)]
train_cfg = dict(max_iters=8000, val_interval=2000)
