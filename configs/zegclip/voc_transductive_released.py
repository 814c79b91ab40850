# As ZegCLIP's release: a second run, which labels the unseen classes itself from its first step on.
# Takes the release's weights too, see tools/model_converters/official.py.
_base_ = [
    '../_base_/models/zegclip_vit-b16.py',
    '../_base_/models/zegclip_released.py',
    '../_base_/datasets/voc20.py',
    '../_base_/schedules/zegclip_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='mmseg_zsclip.SelfTrainedSegmentor',
    data_preprocessor=dict(_base_.released.data_preprocessor, size=_base_.crop_size),
    backbone={{_base_.released.backbone}},
    decode_head=dict(
        classes={{_base_.classes}},
        unseen={{_base_.unseen}},
        seen_offset=0.0,
        text=dict(templates='zegclip'),
        loss_decode=dict(
            type='mmseg_zsclip.MaskLoss',
            focal_weight=20.0,
            squared=False,
            smooth=1.0,
            count_ignored_as_negative=True,
        ),
    ),
)
train_dataloader = dict(dataset=dict(setting='transductive'))
optim_wrapper = dict(paramwise_cfg={{_base_.released.paramwise_cfg}})
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=10000)]
train_cfg = dict(max_iters=10000)
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SelfTrainingHook', switch=0, before='supervised'),
]
load_from = 'work_dirs/voc_inductive_released/iter_10000.pth'
