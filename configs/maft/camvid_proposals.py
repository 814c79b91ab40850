# Stage 1 on CamVid, a class-agnostic Mask2Former of the toy world's size on whole photographs;
# tested with frozen IP-CLIP of the small CLIP that tools/pretrain_clip.py learns on the captions.
_base_ = [
    '../_base_/models/two_stage_vit-xs8.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/proposals_toy.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(192, 256)),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(pipeline=[step for step in _base_.train_pipeline if step.type != 'RandomCrop']),
)
param_scheduler = [dict(_base_.param_scheduler[0], end=2000)]
train_cfg = dict(max_iters=2000, val_interval=2000)
