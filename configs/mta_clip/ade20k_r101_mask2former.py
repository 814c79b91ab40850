# The baseline of table 1: Mask2Former with the ResNet-101 of CLIP, no text.
_base_ = [
    '../_base_/models/mta_clip_r101.py',
    '../_base_/datasets/ade150.py',
    '../_base_/schedules/mta_clip_160k.py',
    '../_base_/protocols/multi_scale_512.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(classes={{_base_.classes}}, text=None, loss_sim=None),
)
