# Stage 2 of MAFT in the toy world: a few steps of IP-CLIP on the proposals of stage 1, which
# `zsclip train toy_maft` trains first where its checkpoint is missing.
_base_ = [
    '../_base_/models/two_stage_toy.py',
    '../_base_/toy_instances.py',
    '../_base_/schedules/maft_toy.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/toy_proposals/iter_4800.pth'
made_by = dict(file='toy_proposals/iter_4800.pth', config='toy_proposals')
model = dict(
    type='mmseg_zsclip.MAFT',
    data_preprocessor=dict(size={{_base_.scale}}),
    generator=dict(checkpoint=stage_one),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(keep_proposals=True),
)
default_hooks = dict(logger=dict(interval=10))
