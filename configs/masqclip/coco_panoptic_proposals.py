# Stage 1 of MasQCLIP: class-agnostic proposals of Mask2Former on COCO panoptic; tested with frozen
# mask class tokens.
_base_ = [
    '../_base_/models/masqclip_r50.py',
    '../_base_/datasets/coco_panoptic.py',
    '../_base_/instances.py',
    '../_base_/schedules/proposals_100k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.size}}),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    things={{_base_.things}},
    test_cfg=dict(tasks={{_base_.tasks}}, keep_scores=False, keep_proposals=True),
)
train_dataloader = dict(batch_size=4, dataset=dict(pipeline={{_base_.resized}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_800}}))
test_pipeline = {{_base_.test_800}}
val_evaluator = test_evaluator = [
    dict(type='mmseg_zsclip.ZeroShotIoUMetric'),
    dict(type='mmseg_zsclip.PanopticQualityMetric'),
    dict(type='mmseg_zsclip.ProposalMetric'),
]
train_cfg = dict(max_iters=200000, val_interval=200000)
