# Transductive zero-shot (table 2): humans label the seen classes,
# MaskCLIP and then the model the rest.
_base_ = [
    '../_base_/models/maskclip_plus_deeplabv2_r101.py',
    '../_base_/datasets/voc20.py',
    '../_base_/schedules/maskclip_plus_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
    teacher=dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}})),
)
train_dataloader = dict(dataset=dict(setting='transductive'))
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SelfTrainingHook', switch=0.1),
]
