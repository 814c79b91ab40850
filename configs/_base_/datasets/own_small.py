# As own_data.py, with photos of 128 pixels for the toy towers.
_base_ = '../photos.py'
data_root = '{{$ZSCLIP_DATA:data/own}}'
classes = '{{$ZSCLIP_DATA:data/own}}/classes.txt'
unseen = '{{$ZSCLIP_DATA:data/own}}/unseen.txt'
scale = (512, 128)
crop_size = (64, 64)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen'),
    dict(type='Resize', scale=scale, keep_ratio=True),
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
photos = dict(
    type='mmseg_zsclip.SegDataset',
    data_root=data_root,
    metainfo=dict(classes=classes, unseen=unseen),
    img_suffix=None,
)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        photos,
        data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = test_dataloader = dict(
    num_workers=1,
    dataset=dict(
        photos,
        data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'),
        pipeline=test_pipeline,
    ),
)
