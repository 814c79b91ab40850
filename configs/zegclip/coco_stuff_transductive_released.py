# As ZegCLIP's release: a second run, which labels the unseen classes itself from its first step on.
# Takes the release's weights too, see tools/model_converters/official.py.
_base_ = ['coco_stuff_transductive.py', '../_base_/models/zegclip_released.py']
model = dict(
    data_preprocessor={{_base_.released.data_preprocessor}},
    backbone={{_base_.released.backbone}},
    decode_head=dict(
        text=dict(templates='zegclip15'), loss_decode={{_base_.released.loss}}))
optim_wrapper = dict(paramwise_cfg={{_base_.released.paramwise_cfg}})
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=0.9, eta_min=1e-6, by_epoch=False, begin=1500, end=40000),
]
train_cfg = dict(max_iters=40000)
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SelfTrainingHook', switch=0, before='supervised'),
]
load_from = 'work_dirs/coco_stuff_inductive_released/iter_40000.pth'
