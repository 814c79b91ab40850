# Table 7: trained on COCO-Stuff (as coco_stuff_inductive, whose checkpoints fit), tested on VOC.
_base_ = ['coco_stuff_inductive.py']
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
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale={{_base_.scale}}, keep_ratio=True),
            dict(type='mmseg_zsclip.LoadLabels', classes='voc20'),
            dict(type='PackSegInputs'),
        ]))
test_evaluator = dict(unseen='none')
