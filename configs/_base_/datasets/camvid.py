# CamVid, 11 classes, at 240x180. The folder comes from the environment (ZSCLIP_CAMVID) or from
# --cfg-options train_dataloader.dataset.data_root=... val_dataloader.dataset.data_root=...
# Its validation clip lies between training frames of the same drive: camvid_by_drive.py does not.
classes = 'camvid'
unseen = 'camvid'
dataset_type = 'mmseg_zsclip.CamVidDataset'
data_root = '{{$ZSCLIP_CAMVID:data/camvid}}'
scale = (240, 180)
crop_size = (48, 48)

# The small CLIP that the configs on CamVid stand on.
made_by = dict(
    file='camvid_clip/dense.pt',
    command='python tools/pretrain_clip.py --images $ZSCLIP_CAMVID/images/train --labels '
    '$ZSCLIP_CAMVID/annotations/train --names camvid --patch-term 1 --minutes 38 '
    '--out work_dirs/camvid_clip',
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen'),
    dict(type='Resize', scale=scale),
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
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        metainfo=dict(unseen=unseen),
        data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        metainfo=dict(unseen=unseen),
        data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric')
