# As maskclip_plus_4k.py, 40k iterations.
_base_ = './maskclip_plus_4k.py'
param_scheduler = [dict(_base_.param_scheduler[0], end=40000)]
train_cfg = dict(max_iters=40000, val_interval=4000)
