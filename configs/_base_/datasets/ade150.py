# ADE20K (challenge), 150 classes. No published seen/unseen split.
# Folder: environment variable ZSCLIP_ADE.
_base_ = '../photos.py'
classes = 'ade150'
unseen = 'none'
data_root = '{{$ZSCLIP_ADE:data/ade/ADEChallengeData2016}}'
photos = dict(type='mmseg_zsclip.ADE150Dataset', data_root=data_root, metainfo=dict(unseen=unseen))

train_dataloader = dict(
    dataset=dict(
        photos, data_prefix=dict(img_path='images/training', seg_map_path='annotations/training')
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
    )
)
