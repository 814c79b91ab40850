# Stage 2: MAFT on the proposals of voc_proposals.
_base_ = [
    '../_base_/models/freeseg_r101c.py',
    '../_base_/datasets/voc20.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/maft_100.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/voc_proposals/iter_20000.pth'
made_by = dict(file='voc_proposals/iter_20000.pth', command='zsclip train voc_proposals')
model = dict(
    type='mmseg_zsclip.MAFT',
    data_preprocessor=dict(size={{_base_.crop_512}}),
    generator=dict(checkpoint=stage_one),
    classifier=dict(_base_.ip_clip, _delete_=True),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
)
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(one, pipeline=_base_.train_512) for one in _base_.train_dataloader.dataset.datasets
        ]
    ),
)
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_640}}))
test_pipeline = {{_base_.test_640}}
