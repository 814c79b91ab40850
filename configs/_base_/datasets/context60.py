# PASCAL Context, 60 classes: background is a class, unseen 10.
# tools/dataset_converters/pascal_context.py; folder: ZSCLIP_CONTEXT.
_base_ = '../photos.py'
classes = 'context60'
unseen = 'context60'
data_root = '{{$ZSCLIP_CONTEXT:data/VOCdevkit/VOC2010}}'
photos = dict(
    type='mmseg_zsclip.Context60Dataset', data_root=data_root, metainfo=dict(unseen=unseen)
)

train_dataloader = dict(
    dataset=dict(
        photos,
        ann_file='ImageSets/SegmentationContext/train.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext'),
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        ann_file='ImageSets/SegmentationContext/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext'),
    )
)
