# Progressive distillation of coco_panoptic_proposals, two rounds in one run.
_base_ = [
    '../_base_/models/masqclip_r50.py',
    '../_base_/datasets/coco_panoptic.py',
    '../_base_/instances.py',
    '../_base_/schedules/distillation_60k.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/coco_panoptic_proposals/iter_200000.pth'
made_by = dict(
    file='coco_panoptic_proposals/iter_200000.pth', command='zsclip train coco_panoptic_proposals'
)
model = dict(
    type='mmseg_zsclip.ProgressiveDistillation',
    data_preprocessor=dict(size={{_base_.size}}),
    generator=dict(checkpoint=stage_one),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    things={{_base_.things}},
    test_cfg=dict(tasks={{_base_.tasks}}, keep_scores=False, keep_proposals=True),
)
train_dataloader = dict(batch_size=1, dataset=dict(pipeline={{_base_.resized}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_800}}))
test_pipeline = {{_base_.test_800}}
val_evaluator = test_evaluator = [
    dict(type='mmseg_zsclip.ZeroShotIoUMetric'),
    dict(type='mmseg_zsclip.PanopticQualityMetric'),
    dict(type='mmseg_zsclip.ProposalMetric'),
]
optim_wrapper = dict(optimizer=dict(lr=1e-5))
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.DistillationHook'),
]
