# COCO-Object: the 80 things of COCO-Stuff 164k and background as class 0. Only to test; no published
# seen/unseen split.
# tools/dataset_converters/coco_stuff164k.py --objects; folder: ZSCLIP_COCO_STUFF.
classes = 'coco_object'
unseen = 'none'
dataset_type = 'mmseg_zsclip.COCOObjectDataset'
data_root = '{{$ZSCLIP_COCO_STUFF:data/coco_stuff164k}}'
scale = (2048, 512)

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='mmseg_zsclip.LoadLabels', classes=classes),
    dict(type='PackSegInputs'),
]
train_dataloader = None
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/val2017', seg_map_path='annotations/val2017'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric', unseen=unseen)
test_evaluator = val_evaluator
