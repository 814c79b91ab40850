# The first half as inductive; then the model labels the unseen classes itself. In table 2: with a
# dagger. Twice as long as toy_inductive: at step 1000 the model knows too little of the unseen
# classes to teach itself.
_base_ = [
    '../_base_/models/zegclip_toy.py',
    '../_base_/datasets/toy.py',
    '../_base_/schedules/zegclip_toy.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='mmseg_zsclip.SelfTrainedSegmentor',
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}, seen_offset=0.0),
)
default_hooks = dict(logger=dict(interval=10))
train_dataloader = dict(batch_size=4, dataset=dict(setting='transductive', keep_truth=True))
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SelfTrainingHook', switch=0.5, before='supervised'),
]
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=400),
    dict(type='PolyLR', power=0.9, eta_min=1e-6, by_epoch=False, begin=400, end=4000),
]
train_cfg = dict(max_iters=4000, val_interval=4000)
