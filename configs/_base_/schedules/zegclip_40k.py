# As zegclip_20k.py, 40k iterations.
_base_ = './zegclip_20k.py'
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=40000)]
train_cfg = dict(max_iters=40000, val_interval=4000)
