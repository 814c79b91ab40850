_base_ = [
    '../_base_/models/maskclip_r50.py', '../_base_/datasets/cityscapes.py',
    '../_base_/schedules/training_free.py', '../_base_/default_runtime.py'
]
model = dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}))
train_dataloader = None
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1024, 512), keep_ratio=True),
    dict(type='mmseg_zsclip.LoadLabels', classes={{_base_.classes}}),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
