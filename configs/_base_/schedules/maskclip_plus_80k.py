# As maskclip_plus_4k.py, 80k iterations.
_base_ = './maskclip_plus_4k.py'
param_scheduler = [dict(_base_.param_scheduler[0], end=80000)]
train_cfg = dict(max_iters=80000, val_interval=8000)
