# Stage 2: MAFT on the proposals of ade847_proposals.
_base_ = [
    '../_base_/models/freeseg_r101c.py',
    '../_base_/datasets/ade847.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/maft_5k.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/ade847_proposals/iter_60000.pth'
made_by = dict(file='ade847_proposals/iter_60000.pth', command='zsclip train ade847_proposals')
model = dict(
    type='mmseg_zsclip.MAFT',
    data_preprocessor=dict(size={{_base_.crop_640}}, seg_pad_val=65535),
    generator=dict(checkpoint=stage_one),
    classifier=dict(_base_.ip_clip, _delete_=True),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    fusion=dict(seen=0.3, unseen=0.7),
    test_cfg=dict(keep_scores=False),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_640}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_640}}))
test_pipeline = {{_base_.test_640}}
