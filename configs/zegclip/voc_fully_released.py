# As ZegCLIP's release: takes its weights, see tools/model_converters/official.py.
_base_ = [
    '../_base_/models/zegclip_vit-b16.py',
    '../_base_/models/zegclip_released.py',
    '../_base_/datasets/voc20.py',
    '../_base_/schedules/zegclip_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(_base_.released.data_preprocessor, size=_base_.crop_size),
    backbone={{_base_.released.backbone}},
    decode_head=dict(
        classes={{_base_.classes}},
        unseen='none',
        text=dict(templates='zegclip'),
        loss_decode={{_base_.released.loss}},
    ),
)
train_dataloader = dict(dataset=dict(setting='fully'))
optim_wrapper = dict(paramwise_cfg={{_base_.released.paramwise_cfg}})
