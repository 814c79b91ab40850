_base_ = [
    '../_base_/models/zegclip_vit-b16.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/schedules/zegclip_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(num_prompts=100),
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
)
