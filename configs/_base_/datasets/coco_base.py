# COCO's 48 base classes alone ("constrained"), for tests: the photos that have one.
# tools/dataset_converters/coco_base_novel.py; folder: ZSCLIP_COCO.
_base_ = '../photos.py'
classes = 'coco48'
unseen = 'none'
tasks = ['instance']
data_root = '{{$ZSCLIP_COCO:data/coco}}'
train_dataloader = None
val_dataloader = test_dataloader = dict(
    dataset=dict(
        type='mmseg_zsclip.SegDataset',
        data_root=data_root,
        metainfo=dict(classes=classes, unseen=unseen),
        ann_file='lists/val2017_base.txt',
        data_prefix=dict(img_path='val2017'),
        img_suffix='.jpg',
    )
)
ann_file = '{{$ZSCLIP_COCO:data/coco}}/annotations/instances_val2017_base.json'
val_evaluator = test_evaluator = dict(type='mmseg_zsclip.InstanceAPMetric', ann_file=ann_file)
