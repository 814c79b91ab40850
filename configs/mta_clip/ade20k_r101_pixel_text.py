# The rival of table 1: pixel-text alignment as in DenseCLIP, with the ResNet-101 of CLIP.
_base_ = [
    '../_base_/models/pixel_text_r101.py',
    '../_base_/datasets/ade150.py',
    '../_base_/schedules/pixel_text_160k.py',
    '../_base_/protocols/multi_scale_512.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}), decode_head=dict(classes={{_base_.classes}})
)
