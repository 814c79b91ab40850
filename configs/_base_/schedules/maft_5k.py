# As maft_1k.py, 5000 iterations.
_base_ = './maft_1k.py'
param_scheduler = [dict(_base_.param_scheduler[0], end=5000)]
train_cfg = dict(max_iters=5000, val_interval=5000)
