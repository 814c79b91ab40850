# Nothing is trained: MMEngine wants these three keys together, and None takes training out. The
# data set's loader is the third: a config writes train_dataloader = None.
train_cfg = None
optim_wrapper = None
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
