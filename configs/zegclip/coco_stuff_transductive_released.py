# As ZegCLIP's release: a second run, which labels the unseen classes itself from its first step on.
# Takes the release's weights too, see tools/model_converters/official.py.
_base_ = [
    '../_base_/models/zegclip_vit-b16.py',
    '../_base_/models/zegclip_released.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/schedules/zegclip_40k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='mmseg_zsclip.SelfTrainedSegmentor',
    data_preprocessor=dict(_base_.released.data_preprocessor, size=_base_.crop_size),
    backbone=dict(_base_.released.backbone, num_prompts=100),
    decode_head=dict(
        classes={{_base_.classes}},
        unseen={{_base_.unseen}},
        seen_offset=0.0,
        text=dict(templates='zegclip15'),
        loss_decode={{_base_.released.loss}},
    ),
)
train_dataloader = dict(dataset=dict(setting='transductive'))
optim_wrapper = dict(paramwise_cfg={{_base_.released.paramwise_cfg}})
train_cfg = dict(val_interval=8000)
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SelfTrainingHook', switch=0, before='supervised'),
]
load_from = 'work_dirs/coco_stuff_inductive_released/iter_40000.pth'
