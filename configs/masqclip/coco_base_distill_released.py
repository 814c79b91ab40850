# As coco_base_distill, by the overlap of the released code, and an optimizer that begins anew with
# the second round.
_base_ = [
    '../_base_/models/masqclip_r50.py',
    '../_base_/models/masqclip_released.py',
    '../_base_/datasets/coco_base_novel.py',
    '../_base_/instances.py',
    '../_base_/schedules/distillation_60k.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/coco_base_proposals/iter_100000.pth'
made_by = dict(
    file='coco_base_proposals/iter_100000.pth', command='zsclip train coco_base_proposals'
)
model = dict(
    type='mmseg_zsclip.ProgressiveDistillation',
    data_preprocessor=dict(size={{_base_.size}}),
    generator=dict(checkpoint=stage_one),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(tasks={{_base_.tasks}}, keep_scores=False, keep_proposals=True),
    **_base_.released.distillation,
)
train_dataloader = dict(batch_size=1, dataset=dict(pipeline={{_base_.jittered}}, keep_truth=True))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_800}}))
test_pipeline = {{_base_.test_800}}
val_evaluator = test_evaluator = [
    {{_base_.val_evaluator}},
    dict(type='mmseg_zsclip.ProposalMetric'),
]
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.DistillationHook', **_base_.released.optimizer_of_a_round),
]
