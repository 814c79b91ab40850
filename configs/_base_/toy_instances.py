# The toy world in whole scenes, 8 a batch, with a number for each thing; recall of proposals is
# measured beside the IoU.
_base_ = ['./datasets/toy.py']
meta_keys = ('img_path', 'ori_shape', 'img_shape', 'flip', 'flip_direction', 'instance_map')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen'),
    dict(type='mmseg_zsclip.LoadInstances'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.LoadInstances'),
    dict(type='PackSegInputs', meta_keys=meta_keys),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = test_evaluator = [
    dict(type='mmseg_zsclip.ZeroShotIoUMetric'),
    dict(type='mmseg_zsclip.ProposalMetric'),
]
