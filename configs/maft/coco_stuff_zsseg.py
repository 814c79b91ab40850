# ZSSeg on COCO-Stuff, 156 seen and 15 unseen classes. The schedule is
# FreeSeg's.
_base_ = [
    '../_base_/models/zsseg_r101c.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/proposals_maskformer_60k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_640}}),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline={{_base_.train_640}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_640}}))
test_pipeline = {{_base_.test_640}}
