# The toy world, 20 classes of which 5 are unseen, at 128x128. It is drawn while it is read: no
# files. Tune on 'val', report on 'test'.
classes = 'toy'
unseen = 'toy'
metainfo = dict(unseen=unseen)
dataset_type = 'mmseg_zsclip.ToyDataset'
size = 128
scale = (size, size)
crop_size = (64, 64)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen'),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type, metainfo=metainfo, split='train', size=size, pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, metainfo=metainfo, split='val', size=size, pipeline=test_pipeline
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, metainfo=metainfo, split='test', size=size, pipeline=test_pipeline
    ),
)
val_evaluator = test_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric')
