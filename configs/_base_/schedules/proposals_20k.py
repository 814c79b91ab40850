# As proposals_60k.py, for PASCAL VOC.
_base_ = './proposals_60k.py'
optim_wrapper = dict(optimizer=dict(lr=2e-5, weight_decay=2e-5))
param_scheduler = [dict(_base_.param_scheduler[0], end=20000)]
train_cfg = dict(max_iters=20000, val_interval=20000)
