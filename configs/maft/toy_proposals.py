# Stage 1 of MAFT in the toy world: proposals from the masks of the seen classes, things one by
# one; tested with frozen IP-CLIP.
_base_ = [
    '../_base_/models/two_stage_toy.py',
    '../_base_/toy_instances.py',
    '../_base_/schedules/proposals_toy.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.scale}}),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(keep_proposals=True),
)
default_hooks = dict(logger=dict(interval=10))
