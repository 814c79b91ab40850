# As coco_stuff_all_maft, with the settings of the released code: takes its weights, see
# tools/model_converters/official.py.
_base_ = [
    '../_base_/models/freeseg_r101c.py',
    '../_base_/models/maft_released.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/short_edges.py',
    '../_base_/schedules/maft_1k.py',
    '../_base_/default_runtime.py',
]
unseen = 'none'
stage_one = 'work_dirs/coco_stuff_all_proposals/iter_60000.pth'
made_by = dict(
    file='coco_stuff_all_proposals/iter_60000.pth', command='zsclip train coco_stuff_all_proposals'
)
model = dict(
    type='mmseg_zsclip.MAFT',
    data_preprocessor=dict(size={{_base_.crop_640}}),
    generator=dict(checkpoint=stage_one),
    classifier=dict(_base_.ip_clip, _delete_=True, **_base_.released.classifier),
    distillation={{_base_.released.distillation}},
    classes={{_base_.classes}},
    unseen='none',
    fusion={{_base_.released.fusion}},
    test_cfg=dict(keep_scores=False),
)
train_dataloader = dict(dataset=dict(metainfo=dict(unseen='none'), pipeline={{_base_.train_640}}))
val_dataloader = test_dataloader = dict(
    dataset=dict(metainfo=dict(unseen='none'), pipeline={{_base_.test_640}})
)
test_pipeline = {{_base_.test_640}}
optim_wrapper = dict(optimizer={{_base_.released.optimizer}})
