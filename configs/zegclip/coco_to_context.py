# Table 7: trained on COCO-Stuff (as coco_stuff_inductive, whose checkpoints fit), tested on Context with its
# background.
_base_ = ['coco_stuff_inductive.py']
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
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale={{_base_.scale}}, keep_ratio=True),
            dict(type='mmseg_zsclip.LoadLabels', classes='context60'),
            dict(type='PackSegInputs'),
        ]))
test_evaluator = dict(unseen='none')
