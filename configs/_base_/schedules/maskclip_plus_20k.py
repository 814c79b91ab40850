# As maskclip_plus_4k.py, 20k iterations.
_base_ = './maskclip_plus_4k.py'
param_scheduler = [dict(_base_.param_scheduler[0], end=20000)]
train_cfg = dict(max_iters=20000, val_interval=2000)
