# COCO's things, 48 base classes and 17 novel ones, all in one vocabulary ("generalized"). Training
# has the photos with a base class, and sees no other.
# tools/dataset_converters/coco_base_novel.py; folder: ZSCLIP_COCO.
_base_ = '../photos.py'
classes = 'coco65'
unseen = 'coco65'
tasks = ['instance']
data_root = '{{$ZSCLIP_COCO:data/coco}}'
photos = dict(type='mmseg_zsclip.COCO65Dataset', data_root=data_root, metainfo=dict(unseen=unseen))

train_dataloader = dict(
    dataset=dict(
        photos,
        ann_file='lists/train2017_base.txt',
        data_prefix=dict(
            img_path='train2017',
            seg_map_path='base_novel_labels/train2017',
            instance_path='base_novel_things/train2017',
        ),
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        ann_file='lists/val2017_all.txt',
        data_prefix=dict(
            img_path='val2017',
            seg_map_path='base_novel_labels/val2017',
            instance_path='base_novel_things/val2017',
        ),
    )
)
ann_file = '{{$ZSCLIP_COCO:data/coco}}/annotations/instances_val2017_all.json'
val_evaluator = test_evaluator = dict(type='mmseg_zsclip.InstanceAPMetric', ann_file=ann_file)
