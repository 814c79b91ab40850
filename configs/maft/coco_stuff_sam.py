# SAM's masks and IP-CLIP (table 5): frozen without a checkpoint, else that of coco_stuff_maft.
_base_ = [
    '../_base_/models/freeseg_r101c.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/training_free.py',
    '../_base_/default_runtime.py',
]
model = dict(
    generator=dict(_delete_=True, type='mmseg_zsclip.SAMProposals'),
    classifier=dict(_base_.ip_clip, _delete_=True),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    fusion=dict(seen=1.0, unseen=1.0),
)
train_dataloader = None
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_640}}))
test_pipeline = {{_base_.test_640}}
