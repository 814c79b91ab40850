# Self-training (table 8): `toy_maft` goes on, both of its stages, with its own map where nobody has
# labelled; `zsclip train toy_self_trained_maft` trains `toy_maft` first where it is missing.
_base_ = [
    '../_base_/models/two_stage_toy.py',
    '../_base_/toy_instances.py',
    '../_base_/schedules/proposals_toy.py',
    '../_base_/default_runtime.py',
]
load_from = 'work_dirs/toy_maft/iter_40.pth'
made_by = dict(file='toy_maft/iter_40.pth', config='toy_maft')
model = dict(
    type='mmseg_zsclip.SelfTrainedMAFT',
    data_preprocessor=dict(size={{_base_.scale}}),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(keep_proposals=True),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen', mode='transductive'),
    dict(type='mmseg_zsclip.LoadInstances'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(
    optimizer=dict(lr=2e-4), paramwise_cfg=dict(custom_keys=dict(classifier=dict(lr_mult=0.15)))
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False, begin=0, end=400)]
train_cfg = dict(max_iters=400, val_interval=400)
default_hooks = dict(logger=dict(interval=10))
