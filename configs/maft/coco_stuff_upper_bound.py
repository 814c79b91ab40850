# The true IoU of each proposal of coco_stuff_proposals as its score (appendix C.1).
_base_ = [
    '../_base_/models/freeseg_r101c.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/training_free.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/coco_stuff_proposals/iter_60000.pth'
made_by = dict(
    file='coco_stuff_proposals/iter_60000.pth', command='zsclip train coco_stuff_proposals'
)
model = dict(
    generator=dict(checkpoint=stage_one, frozen=True),
    classifier=dict(_base_.ip_clip, _delete_=True),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    fusion=dict(_delete_=True, type='mmseg_zsclip.UpperBound'),
)
train_dataloader = None
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_640}}))
test_pipeline = {{_base_.test_640}}
