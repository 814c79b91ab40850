_base_ = [
    '../_base_/models/zegclip_toy.py',
    '../_base_/datasets/toy.py',
    '../_base_/schedules/zegclip_toy.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
)
train_dataloader = dict(batch_size=4)
default_hooks = dict(logger=dict(interval=10))
