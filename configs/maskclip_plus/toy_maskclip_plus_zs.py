# Transductive zero-shot: humans label the seen classes,
# MaskCLIP and then the model itself the rest.
_base_ = [
    '../_base_/models/maskclip_plus_toy.py',
    '../_base_/datasets/toy.py',
    '../_base_/schedules/maskclip_plus_toy.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
    teacher=dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}})),
)
train_dataloader = dict(batch_size=8, dataset=dict(setting='transductive', keep_truth=True))
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    # The paper's is 0.1, of 20,000 steps: what a model does not find by then it never teaches
    # itself.
    dict(type='mmseg_zsclip.SelfTrainingHook', switch=0.5),
]
default_hooks = dict(logger=dict(interval=10))
