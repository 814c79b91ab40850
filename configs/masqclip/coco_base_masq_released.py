# As coco_base_masq, with the settings of the released code: takes its weights, see
# tools/model_converters/official.py.
_base_ = [
    '../_base_/models/masqclip_r50.py',
    '../_base_/models/masqclip_released.py',
    '../_base_/datasets/coco_base_novel.py',
    '../_base_/instances.py',
    '../_base_/schedules/masqclip_10k.py',
    '../_base_/default_runtime.py',
]
stage_one = 'work_dirs/coco_base_distill_released/iter_60000.pth'
made_by = dict(
    file='coco_base_distill_released/iter_60000.pth',
    command='zsclip train coco_base_distill_released',
)
model = dict(
    type='mmseg_zsclip.MasQCLIP',
    data_preprocessor=dict(size={{_base_.size}}),
    generator=dict(checkpoint=stage_one),
    classifier=dict(tune='q', **_base_.released.classifier),
    text={{_base_.released.text}},
    mask_loss={{_base_.released.mask_loss}},
    classes={{_base_.classes}},
    unseen={{_base_.unseen}},
    test_cfg=dict(tasks={{_base_.tasks}}, keep_scores=False, **_base_.released.test_cfg),
)
train_dataloader = dict(batch_size=1, dataset=dict(pipeline={{_base_.jittered}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_800}}))
test_pipeline = {{_base_.test_800}}
