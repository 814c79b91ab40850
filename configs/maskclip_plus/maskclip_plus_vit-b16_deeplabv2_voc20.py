# Annotation-free: MaskCLIP labels every pixel, on a ViT-B/16 (the paper has no such row;
# Context's schedule).
_base_ = [
    '../_base_/models/maskclip_plus_vit-b16_deeplabv2_r101.py',
    '../_base_/datasets/voc20.py',
    '../_base_/schedules/maskclip_plus_4k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    receive='all',
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
    teacher=dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}})),
)
train_dataloader = dict(dataset=dict(setting='annotation-free'))
