# Progressive distillation of coco_base_rcnn_proposals, two rounds in one run. Logs how many masks a
# photo gets, and how many of them are of the novel classes, whose labels nothing else sees.
_base_ = [
    '../_base_/models/masqclip_rcnn_r50.py',
    '../_base_/datasets/coco_base_novel.py',
    '../_base_/instances.py',
    '../_base_/schedules/distillation_rcnn_20k.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/coco_base_rcnn_proposals/iter_90000.pth'
made_by = dict(
    file='coco_base_rcnn_proposals/iter_90000.pth', command='zsclip train coco_base_rcnn_proposals'
)
model = dict(
    type='mmseg_zsclip.ProgressiveDistillation',
    generator=dict(checkpoint=stage_one),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(tasks={{_base_.tasks}}, keep_scores=False, keep_proposals=True),
)
train_dataloader = dict(batch_size=4, dataset=dict(pipeline={{_base_.train_800}}, keep_truth=True))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_800}}))
test_pipeline = {{_base_.test_800}}
val_evaluator = test_evaluator = [
    {{_base_.val_evaluator}},
    dict(type='mmseg_zsclip.ProposalMetric'),
]
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.DistillationHook'),
]
