# MasQ-tuning in the toy world, on proposals that were distilled; `zsclip train toy_masqclip` trains
# what is missing of the stages before. Semantic, instance and panoptic from one checkpoint.
_base_ = [
    '../_base_/models/two_stage_toy.py',
    '../_base_/toy_instances.py',
    '../_base_/schedules/masqclip_toy.py',
    '../_base_/default_runtime.py',
]
things = (
    *('house', 'tree', 'car', 'boat', 'balloon', 'cloud', 'flower'),
    *('fish', 'bird', 'star', 'person', 'umbrella', 'mushroom', 'lamp'),
)
stage_one = 'work_dirs/toy_masq_distill/iter_1600.pth'
made_by = dict(file='toy_masq_distill/iter_1600.pth', config='toy_masq_distill')
model = dict(
    type='mmseg_zsclip.MasQCLIP',
    data_preprocessor=dict(size={{_base_.scale}}),
    generator=dict(checkpoint=stage_one),
    classifier=dict(
        _delete_=True,
        type='mmseg_zsclip.MasQCLIPViT',
        arch={{_base_.arch}},
        weights={{_base_.weights}},
        clip_size=128,
    ),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    things=things,
    test_cfg=dict(tasks=('semantic', 'instance', 'panoptic'), keep_proposals=True),
)
val_evaluator = test_evaluator = [
    dict(type='mmseg_zsclip.ZeroShotIoUMetric'),
    dict(type='mmseg_zsclip.InstanceAPMetric'),
    dict(type='mmseg_zsclip.PanopticQualityMetric'),
    dict(type='mmseg_zsclip.ProposalMetric'),
]
default_hooks = dict(logger=dict(interval=10))
