# Stage 1: FreeSeg on ADE20K-847, 572 seen and 275 unseen classes.
# FreeSeg publishes no lambda for it; 0.7 is that of ZSSeg.
_base_ = [
    '../_base_/models/freeseg_r101c.py',
    '../_base_/datasets/ade847.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/proposals_60k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_640}}, seg_pad_val=65535),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    fusion=dict(seen=0.3, unseen=0.7),
    test_cfg=dict(keep_scores=False),
)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline={{_base_.train_640}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_640}}))
test_pipeline = {{_base_.test_640}}
