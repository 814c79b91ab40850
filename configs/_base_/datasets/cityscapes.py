# Cityscapes, 19 classes. No published seen/unseen split.
# tools/dataset_converters/cityscapes.py; folder: ZSCLIP_CITYSCAPES.
# Batch 16 in all: 4 a process on 4 GPUs, as in ZegCLIP; elsewhere --auto-scale-lr adapts the rate.
classes = 'cityscapes'
unseen = 'none'
dataset_type = 'mmseg_zsclip.CityscapesDataset'
data_root = '{{$ZSCLIP_CITYSCAPES:data/cityscapes}}'
scale = (2048, 1024)
crop_size = (512, 1024)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels', classes=classes),
    dict(type='mmseg_zsclip.HideUnseen', classes=classes, unseen=unseen, mode='inductive'),
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='mmseg_zsclip.LoadLabels', classes=classes),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric', unseen=unseen)
test_evaluator = val_evaluator
