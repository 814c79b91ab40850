# MAFT plugged into the second generator, `zsclip train toy_text_proposals`.
_base_ = [
    '../_base_/models/two_stage_toy.py',
    '../_base_/toy_instances.py',
    '../_base_/schedules/maft_toy.py',
    '../_base_/default_runtime.py',
]
weights = 'toy'
stage_one = 'work_dirs/toy_text_proposals/iter_2400.pth'
made_by = dict(file='toy_text_proposals/iter_2400.pth', config='toy_text_proposals')
model = dict(
    type='mmseg_zsclip.MAFT',
    data_preprocessor=dict(size={{_base_.scale}}),
    generator=dict(
        text=dict(dim=64, text_dim=192, hidden=(128,), scale=28.0),
        interaction=dict(dim=64, text_dim=192, inner=192, heads=4),
        checkpoint=stage_one,
    ),
    classifier=dict(weights=weights),
    text=dict(weights=weights),
    fusion=dict(type='mmseg_zsclip.Ensemble', seen=0.3, unseen=0.7),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(keep_proposals=True),
)
default_hooks = dict(logger=dict(interval=10))
