# MasQ-tuning on CamVid, semantic; `zsclip train camvid_masqclip` trains camvid_proposals first
# where its checkpoint is missing.
_base_ = [
    '../_base_/models/two_stage_vit-xs8.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/masqclip_toy.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/camvid_proposals/iter_2000.pth'
made_by = dict(_delete_=True, file='camvid_proposals/iter_2000.pth', config='camvid_proposals')
model = dict(
    type='mmseg_zsclip.MasQCLIP',
    data_preprocessor=dict(size=(192, 256)),
    generator=dict(checkpoint=stage_one),
    classifier=dict(
        _delete_=True,
        type='mmseg_zsclip.MasQCLIPViT',
        arch={{_base_.arch}},
        weights={{_base_.weights}},
        clip_size=192,
    ),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(pipeline=[step for step in _base_.train_pipeline if step.type != 'RandomCrop']),
)
default_hooks = dict(logger=dict(interval=10))
