# The second toy world: another style of drawing, 13 classes, some of them two of toy's in one. Only
# to test what was trained on toy: take it with schedules/training_free.py.
classes = 'toy_target'
unseen = 'toy_target'
metainfo = dict(unseen=unseen)
dataset_type = 'mmseg_zsclip.ToyTargetDataset'
size = 128
scale = (size, size)
crop_size = (64, 64)

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='PackSegInputs'),
]
train_dataloader = None
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
