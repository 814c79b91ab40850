# Annotation-free: no pixel has a label, MaskCLIP gives all.
_base_ = [
    '../_base_/models/maskclip_plus_vit-xs8.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/maskclip_plus_toy.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    receive='all',
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
    teacher=dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}})),
)
train_dataloader = dict(batch_size=8, dataset=dict(setting='annotation-free', keep_truth=True))
default_hooks = dict(logger=dict(interval=10))
