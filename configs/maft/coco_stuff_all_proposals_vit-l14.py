# Stage 1 of tables 3 and 6: FreeSeg with ViT-L/14 on all classes of COCO-Stuff.
# No class is unseen, so CLIP alone decides.
_base_ = [
    '../_base_/models/freeseg_vit-l14.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/proposals_60k.py',
    '../_base_/default_runtime.py',
]
unseen = 'none'
model = dict(
    data_preprocessor=dict(size={{_base_.crop_640}}),
    classes={{_base_.classes}},
    unseen='none',
    fusion=dict(seen=1.0, unseen=1.0),
    test_cfg=dict(keep_scores=False),
)
train_dataloader = dict(
    batch_size=8, dataset=dict(metainfo=dict(unseen='none'), pipeline={{_base_.train_640}})
)
val_dataloader = test_dataloader = dict(
    dataset=dict(metainfo=dict(unseen='none'), pipeline={{_base_.test_640}})
)
test_pipeline = {{_base_.test_640}}
