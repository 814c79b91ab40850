# MTA-CLIP in the toy world, all 20 classes seen, in whole scenes.
_base_ = [
    '../_base_/models/mta_clip_toy.py',
    '../_base_/datasets/toy.py',
    '../_base_/schedules/mta_clip_toy.py',
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
