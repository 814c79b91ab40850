# As table 7: trained on the toy world (as toy_inductive, whose checkpoints fit),
# tested on the target world.
_base_ = ['toy_inductive.py']
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SetClassesHook', classes='toy_target'),
]
test_dataloader = dict(
    dataset=dict(type='mmseg_zsclip.ToyTargetDataset', metainfo=dict(unseen='none'))
)
