# Stage 2 of tables 3 and 6: MAFT on coco_stuff_all_proposals_vit-l14.
# `zsclip bench` tests it on the five sets of other classes.
_base_ = [
    '../_base_/models/freeseg_vit-l14.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/maft_1k.py',
    '../_base_/default_runtime.py',
]
unseen = 'none'
stage_one = 'work_dirs/coco_stuff_all_proposals_vit-l14/iter_60000.pth'
made_by = dict(
    file='coco_stuff_all_proposals_vit-l14/iter_60000.pth',
    command='zsclip train coco_stuff_all_proposals_vit-l14',
)
model = dict(
    type='mmseg_zsclip.MAFT',
    data_preprocessor=dict(size={{_base_.crop_640}}),
    generator=dict(checkpoint=stage_one),
    classifier=dict(_base_.ip_clip, _delete_=True),
    classes={{_base_.classes}},
    unseen='none',
    fusion=dict(seen=1.0, unseen=1.0),
    test_cfg=dict(keep_scores=False),
)
train_dataloader = dict(dataset=dict(metainfo=dict(unseen='none'), pipeline={{_base_.train_640}}))
val_dataloader = test_dataloader = dict(
    dataset=dict(metainfo=dict(unseen='none'), pipeline={{_base_.test_640}})
)
test_pipeline = {{_base_.test_640}}
