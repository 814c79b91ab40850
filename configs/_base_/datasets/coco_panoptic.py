# COCO panoptic, 80 things and 53 kinds of stuff, synonyms as MasQCLIP has them. No unseen class.
# tools/dataset_converters/coco_panoptic.py; folder: ZSCLIP_COCO.
_base_ = '../photos.py'
classes = 'coco_panoptic133'
unseen = 'none'
things = 'coco_things'
tasks = ['semantic', 'panoptic']
data_root = '{{$ZSCLIP_COCO:data/coco}}'
photos = dict(
    type='mmseg_zsclip.COCOPanopticDataset', data_root=data_root, metainfo=dict(unseen=unseen)
)

train_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(
            img_path='train2017',
            seg_map_path='panoptic_labels/train2017',
            instance_path='panoptic_things/train2017',
        ),
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(
            img_path='val2017',
            seg_map_path='panoptic_labels/val2017',
            instance_path='panoptic_things/val2017',
        ),
    )
)
val_evaluator = test_evaluator = [
    dict(type='mmseg_zsclip.ZeroShotIoUMetric'),
    dict(type='mmseg_zsclip.PanopticQualityMetric'),
]
