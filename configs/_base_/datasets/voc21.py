# PASCAL VOC 2012 with the SBD masks, 21 classes: background is a class, unseen 5.
# Label maps: tools/dataset_converters/voc_aug.py; folder: environment variable ZSCLIP_VOC.
_base_ = '../photos.py'
classes = 'voc21'
unseen = 'voc21'
data_root = '{{$ZSCLIP_VOC:data/VOCdevkit/VOC2012}}'
photos = dict(type='mmseg_zsclip.VOC21Dataset', data_root=data_root, metainfo=dict(unseen=unseen))

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmseg_zsclip.JoinedDataset',
        datasets=[
            dict(
                photos,
                ann_file='ImageSets/Segmentation/train.txt',
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                pipeline=_base_.train_pipeline,
            ),
            dict(
                photos,
                ann_file='ImageSets/Segmentation/aug.txt',
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
                pipeline=_base_.train_pipeline,
            ),
        ],
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    )
)
