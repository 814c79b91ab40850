# Stage 1: FreeSeg on PASCAL VOC, 15 seen and 5 unseen classes.
_base_ = [
    '../_base_/models/freeseg_r101c.py',
    '../_base_/datasets/voc20.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/proposals_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_512}}),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        datasets=[
            dict(one, pipeline=_base_.train_512) for one in _base_.train_dataloader.dataset.datasets
        ]
    ),
)
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_640}}))
test_pipeline = {{_base_.test_640}}
