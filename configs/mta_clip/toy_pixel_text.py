# Pixel-text alignment in the toy world, all 20 classes seen, in whole scenes, as toy_mta_clip.py.
_base_ = [
    '../_base_/models/pixel_text_toy.py',
    '../_base_/datasets/toy.py',
    '../_base_/schedules/pixel_text_toy.py',
    '../_base_/default_runtime.py',
]
unseen = 'none'
metainfo = dict(unseen=unseen)
model = dict(
    data_preprocessor=dict(size={{_base_.scale}}), decode_head=dict(classes={{_base_.classes}})
)
default_hooks = dict(logger=dict(interval=10))
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        metainfo=metainfo,
        pipeline=[step for step in _base_.train_pipeline if step.type != 'RandomCrop'],
    ),
)
val_dataloader = dict(dataset=dict(metainfo=metainfo))
test_dataloader = dict(dataset=dict(metainfo=metainfo))
