# The rival of table 2: pixel-text alignment as in DenseCLIP, with the ResNet-50 of CLIP.
_base_ = [
    '../_base_/models/pixel_text_r50.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/schedules/pixel_text_90k.py',
    '../_base_/protocols/multi_scale_1024.py',
    '../_base_/default_runtime.py',
]
crop_size = (1024, 1024)
train_pipeline = [
    dict(step, crop_size=crop_size) if step.type == 'RandomCrop' else step
    for step in _base_.train_pipeline
]
model = dict(data_preprocessor=dict(size=crop_size), decode_head=dict(classes={{_base_.classes}}))
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=train_pipeline))
