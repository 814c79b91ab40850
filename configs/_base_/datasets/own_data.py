# A data set of your own: the folder named by the environment variable ZSCLIP_DATA, with
#   classes.txt, unseen.txt                        one class a line, synonyms by comma
#   images/{train,val}/*                           photos, of any ending
#   annotations/{train,val}/*.png                  label maps: line number of the class - 1, 255 ignored
# Batch 16 in all; elsewhere --auto-scale-lr adapts the rate.
data_root = '{{$ZSCLIP_DATA:data/own}}'
classes = '{{$ZSCLIP_DATA:data/own}}/classes.txt'
unseen = '{{$ZSCLIP_DATA:data/own}}/unseen.txt'
dataset_type = 'mmseg_zsclip.SegDataset'
metainfo = dict(classes=classes)
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
        metainfo=metainfo,
        img_suffix=None,
        data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        metainfo=metainfo,
        img_suffix=None,
        data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric', unseen=unseen)
test_evaluator = val_evaluator
