# PASCAL Context, all 459 classes; 16-bit label maps. No published seen/unseen split.
# tools/dataset_converters/pascal_context.py --classes 459; folder: ZSCLIP_CONTEXT.
# 255 is a class here: ignored is 65535, also for padding and in the head.
_base_ = '../photos.py'
classes = 'pc459'
unseen = 'none'
data_root = '{{$ZSCLIP_CONTEXT:data/VOCdevkit/VOC2010}}'
photos = dict(
    type='mmseg_zsclip.Context459Dataset', data_root=data_root, metainfo=dict(unseen=unseen)
)

train_dataloader = dict(
    dataset=dict(
        photos,
        ann_file='ImageSets/SegmentationContext/train.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext459'),
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        ann_file='ImageSets/SegmentationContext/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext459'),
    )
)
