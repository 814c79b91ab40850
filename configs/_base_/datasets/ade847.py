# ADE20K (full release), 847 classes, unseen 275; 16-bit label maps.
# Label maps: tools/dataset_converters/ade20k_full.py; folder: environment variable ZSCLIP_ADE_FULL.
# 255 is a class here: ignored is 65535, also for padding and in the head.
_base_ = '../photos.py'
classes = 'ade847'
unseen = 'ade847'
data_root = '{{$ZSCLIP_ADE_FULL:data/ade/ADE20K_2021_17_01}}'
photos = dict(type='mmseg_zsclip.ADE847Dataset', data_root=data_root, metainfo=dict(unseen=unseen))

train_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(img_path='images_847/training', seg_map_path='annotations_847/training'),
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(
            img_path='images_847/validation', seg_map_path='annotations_847/validation'
        ),
    )
)
