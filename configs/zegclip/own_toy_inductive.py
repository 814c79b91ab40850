# As own_inductive.py on the toy CLIP of the package: offline, and it knows the toy world's words.
_base_ = [
    '../_base_/models/zegclip_toy.py',
    '../_base_/datasets/own_small.py',
    '../_base_/schedules/zegclip_toy.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
)
default_hooks = dict(logger=dict(interval=10))
