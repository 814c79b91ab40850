# MasQ-tuning on the proposals of coco_panoptic_rcnn_distill.
_base_ = [
    '../_base_/models/masqclip_rcnn_r50.py',
    '../_base_/datasets/coco_panoptic.py',
    '../_base_/instances.py',
    '../_base_/schedules/masqclip_10k.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/coco_panoptic_rcnn_distill/iter_20000.pth'
made_by = dict(
    file='coco_panoptic_rcnn_distill/iter_20000.pth',
    command='zsclip train coco_panoptic_rcnn_distill',
)
model = dict(
    type='mmseg_zsclip.MasQCLIP',
    generator=dict(checkpoint=stage_one),
    classifier=dict(tune='q'),
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    things={{_base_.things}},
    test_cfg=dict(tasks={{_base_.tasks}}, keep_scores=False),
)
train_dataloader = dict(batch_size=1, dataset=dict(pipeline={{_base_.train_800}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_800}}))
test_pipeline = {{_base_.test_800}}
