# The first half as inductive; then the model labels the unseen classes itself. In table 2:
# with a dagger.
_base_ = [
    '../_base_/models/zegclip_vit-b16.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/schedules/zegclip_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='mmseg_zsclip.SelfTrainedSegmentor',
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(num_prompts=100),
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}, seen_offset=0.0),
)
train_dataloader = dict(dataset=dict(setting='transductive'))
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SelfTrainingHook', switch=0.5, before='supervised'),
]
