# COCO-Stuff 164k, 171 classes, unseen 15.
# tools/dataset_converters/coco_stuff164k.py; folder: ZSCLIP_COCO_STUFF.
_base_ = '../photos.py'
classes = 'coco_stuff171'
unseen = 'coco_stuff171'
data_root = '{{$ZSCLIP_COCO_STUFF:data/coco_stuff164k}}'
photos = dict(
    type='mmseg_zsclip.COCOStuff164kDataset', data_root=data_root, metainfo=dict(unseen=unseen)
)

train_dataloader = dict(
    dataset=dict(
        photos, data_prefix=dict(img_path='images/train2017', seg_map_path='annotations/train2017')
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos, data_prefix=dict(img_path='images/val2017', seg_map_path='annotations/val2017')
    )
)
