# Frozen IP-CLIP on the proposals of `zsclip train toy_proposals`: nothing here trains, so
# `zsclip test toy_two_stage` needs no checkpoint of its own.
_base_ = [
    '../_base_/models/two_stage_toy.py',
    '../_base_/toy_instances.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/toy_proposals/iter_4800.pth'
made_by = dict(file='toy_proposals/iter_4800.pth', config='toy_proposals')
model = dict(
    data_preprocessor=dict(size={{_base_.scale}}),
    generator=dict(checkpoint=stage_one, frozen=True),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(keep_proposals=True),
)
optim_wrapper = param_scheduler = train_cfg = train_dataloader = None
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
