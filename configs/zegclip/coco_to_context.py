# Table 7: trained on COCO-Stuff (as coco_stuff_inductive, whose checkpoints fit), tested on Context
# with its background.
_base_ = [
    '../_base_/models/zegclip_vit-b16.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/schedules/zegclip_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(num_prompts=100),
    decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}),
)
custom_hooks = [
    dict(type='mmseg_zsclip.StrictLoadHook'),
    dict(type='mmseg_zsclip.SetClassesHook', classes='context60'),
]
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmseg_zsclip.Context60Dataset',
        data_root='{{$ZSCLIP_CONTEXT:data/VOCdevkit/VOC2010}}',
        ann_file='ImageSets/SegmentationContext/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext'),
        pipeline={{_base_.test_pipeline}},
    )
)
