# What the sets of photos share: pipelines, loaders and the metric. Classes, unseen classes and the
# ignored value are the data set's. Batch 16 in all: 4 a process on 4 GPUs, as in ZegCLIP; elsewhere
# --auto-scale-lr adapts the rate.
scale = (2048, 512)
crop_size = (512, 512)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen'),
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline),
)
val_evaluator = test_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric')
