# ADE20K panoptic (challenge), 100 things and 50 kinds of stuff, with the challenge's synonyms.
# The mIoU is that of these labels, where things lie over stuff; A-150's is that of ade150.py.
# tools/dataset_converters/ade20k_panoptic.py; folder: ZSCLIP_ADE.
_base_ = '../photos.py'
classes = 'ade150_words'
unseen = 'none'
things = 'ade_things'
tasks = ['semantic', 'panoptic']
data_root = '{{$ZSCLIP_ADE:data/ade/ADEChallengeData2016}}'
photos = dict(
    type='mmseg_zsclip.ADEPanopticDataset', data_root=data_root, metainfo=dict(unseen=unseen)
)

train_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(
            img_path='images/training',
            seg_map_path='panoptic_labels/training',
            instance_path='panoptic_things/training',
        ),
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(
            img_path='images/validation',
            seg_map_path='panoptic_labels/validation',
            instance_path='panoptic_things/validation',
        ),
    )
)
val_evaluator = test_evaluator = [
    dict(type='mmseg_zsclip.ZeroShotIoUMetric'),
    dict(type='mmseg_zsclip.PanopticQualityMetric'),
]
