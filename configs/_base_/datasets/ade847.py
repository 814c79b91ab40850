# ADE20K (full release), 847 classes, unseen 275; 16-bit label maps.
# Label maps: tools/dataset_converters/ade20k_full.py; folder: environment variable ZSCLIP_ADE_FULL.
# Batch 16 in all: 4 a process on 4 GPUs, as in ZegCLIP; elsewhere --auto-scale-lr adapts the rate.
# 255 is a class here: ignored is 65535, also for padding and in the head.
classes = 'ade847'
unseen = 'ade847'
dataset_type = 'mmseg_zsclip.ADE847Dataset'
data_root = '{{$ZSCLIP_ADE_FULL:data/ade/ADE20K_2021_17_01}}'
scale = (2048, 512)
crop_size = (512, 512)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels', classes=classes),
    dict(type='mmseg_zsclip.HideUnseen', classes=classes, unseen=unseen, mode='inductive'),
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75, ignore_index=65535),
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
        data_prefix=dict(img_path='images_847/training', seg_map_path='annotations_847/training'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(
            img_path='images_847/validation',
            seg_map_path='annotations_847/validation'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric', unseen=unseen)
test_evaluator = val_evaluator
