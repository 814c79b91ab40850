# As maft_1k.py, 100 iterations.
_base_ = './maft_1k.py'
param_scheduler = [dict(_base_.param_scheduler[0], end=100)]
train_cfg = dict(max_iters=100, val_interval=100)
