# COCO-Object: the 80 things of COCO-Stuff 164k and background as class 0. Only to test; no
# published seen/unseen split.
# tools/dataset_converters/coco_stuff164k.py --objects; folder: ZSCLIP_COCO_STUFF.
_base_ = '../photos.py'
classes = 'coco_object'
unseen = 'none'
data_root = '{{$ZSCLIP_COCO_STUFF:data/coco_stuff164k}}'

train_dataloader = None
val_dataloader = test_dataloader = dict(
    dataset=dict(
        type='mmseg_zsclip.COCOObjectDataset',
        data_root=data_root,
        metainfo=dict(unseen=unseen),
        data_prefix=dict(img_path='images/val2017', seg_map_path='annotations/val2017'),
    )
)
