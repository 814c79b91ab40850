# Table 7: trained on COCO-Stuff (as coco_stuff_inductive, whose checkpoints fit), tested on VOC.
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
    dict(type='mmseg_zsclip.SetClassesHook', classes='voc20'),
]
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmseg_zsclip.VOC20Dataset',
        data_root='{{$ZSCLIP_VOC:data/VOCdevkit/VOC2012}}',
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        pipeline={{_base_.test_pipeline}},
    )
)
