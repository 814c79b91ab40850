# MAFT plugged into coco_stuff_zsseg.
_base_ = [
    '../_base_/models/zsseg_r101c.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/maft_1k.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/coco_stuff_zsseg/iter_60000.pth'
made_by = dict(file='coco_stuff_zsseg/iter_60000.pth', command='zsclip train coco_stuff_zsseg')
model = dict(
    type='mmseg_zsclip.MAFT',
    data_preprocessor=dict(size={{_base_.crop_640}}),
    generator=dict(checkpoint=stage_one),
    classifier=dict(_base_.ip_clip, _delete_=True),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_640}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_640}}))
test_pipeline = {{_base_.test_640}}
