# Progressive distillation of the toy world's proposals, two rounds in one run, beginning with those
# of stage 1. Logs how many masks a photo gets and how many of them are really of unseen classes.
_base_ = [
    '../_base_/models/two_stage_toy.py',
    '../_base_/toy_instances.py',
    '../_base_/schedules/proposals_toy.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/toy_proposals/iter_4800.pth'
made_by = dict(file='toy_proposals/iter_4800.pth', config='toy_proposals')
model = dict(
    type='mmseg_zsclip.ProgressiveDistillation',
    data_preprocessor=dict(size={{_base_.scale}}),
    generator=dict(checkpoint=stage_one),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(keep_proposals=True),
)
meta_keys = (
    *('img_path', 'ori_shape', 'img_shape', 'flip', 'flip_direction'),
    *('instance_map', 'hidden_seg_map'),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen', keep_truth=True),
    dict(type='mmseg_zsclip.LoadInstances'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs', meta_keys=meta_keys),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False, begin=0, end=1600)]
train_cfg = dict(max_iters=1600, val_interval=800)
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.DistillationHook'),
]
default_hooks = dict(logger=dict(interval=10))
