# ADE20K (challenge), 150 classes. No published seen/unseen split.
# Folder: environment variable ZSCLIP_ADE.
# Batch 16 in all: 4 a process on 4 GPUs, as in ZegCLIP; elsewhere --auto-scale-lr adapts the rate.
classes = 'ade150'
unseen = 'none'
dataset_type = 'mmseg_zsclip.ADE150Dataset'
data_root = '{{$ZSCLIP_ADE:data/ade/ADEChallengeData2016}}'
scale = (2048, 512)
crop_size = (512, 512)

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
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric', unseen=unseen)
test_evaluator = val_evaluator
