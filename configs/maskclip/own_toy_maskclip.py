# As own_maskclip.py on the toy CLIP of the package: offline, and it knows the toy world's words.
_base_ = [
    '../_base_/models/maskclip_toy.py',
    '../_base_/datasets/own_small.py',
    '../_base_/schedules/training_free.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}))
train_dataloader = None
