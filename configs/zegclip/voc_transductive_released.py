# As ZegCLIP's release: a second run, which labels the unseen classes itself from its first step on.
# Takes the release's weights too, see tools/model_converters/official.py.
_base_ = ['voc_transductive.py', '../_base_/models/zegclip_released.py']
model = dict(
    data_preprocessor={{_base_.released.data_preprocessor}},
    backbone={{_base_.released.backbone}},
    decode_head=dict(
        text=dict(templates='zegclip'),
        loss_decode=dict(
            type='mmseg_zsclip.MaskLoss', focal_weight=20.0, squared=False, smooth=1.0,
            count_ignored_as_negative=True)))
optim_wrapper = dict(paramwise_cfg={{_base_.released.paramwise_cfg}})
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=0.9, eta_min=1e-6, by_epoch=False, begin=1500, end=10000),
]
train_cfg = dict(max_iters=10000)
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SelfTrainingHook', switch=0, before='supervised'),
]
load_from = 'work_dirs/voc_inductive_released/iter_10000.pth'
