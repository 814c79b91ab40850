# As own_maskclip_plus.py on the toy CLIP of the package: offline, and it knows the toy world's
# words.
_base_ = [
    '../_base_/models/maskclip_plus_toy.py',
    '../_base_/datasets/own_small.py',
    '../_base_/schedules/maskclip_plus_toy.py',
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
    dict(type='Resize', scale={{_base_.scale}}, keep_ratio=True),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(data_prefix=dict(_delete_=True, img_path='images/train'), pipeline=train_pipeline),
)
default_hooks = dict(logger=dict(interval=10))
