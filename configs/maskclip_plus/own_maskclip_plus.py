# Annotation-free on photos of your own, of which only those in images/val need label maps: any
# names in classes.txt, fine-grained ("red car, crimson car") or novel,
# are learnt from MaskCLIP's labels.
_base_ = [
    '../_base_/models/maskclip_plus_deeplabv2_r101.py',
    '../_base_/datasets/own_data.py',
    '../_base_/schedules/maskclip_plus_4k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    receive='all',
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
    teacher=dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}})),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.NoLabels'),
    dict(type='RandomResize', scale={{_base_.scale}}, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(data_prefix=dict(_delete_=True, img_path='images/train'), pipeline=train_pipeline)
)
