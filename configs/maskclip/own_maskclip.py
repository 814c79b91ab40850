# Any words on photos of your own, with nothing to train. Scores need label maps,
# in annotations/val; photos that have none are segmented by `zsclip segment`.
_base_ = [
    '../_base_/models/maskclip_vit-b16.py',
    '../_base_/datasets/own_data.py',
    '../_base_/schedules/training_free.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}))
train_dataloader = None
