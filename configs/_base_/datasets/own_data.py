# A data set of your own: the folder named by the environment variable ZSCLIP_DATA, with
#   classes.txt, unseen.txt                        one class a line, synonyms by comma
#   images/{train,val}/*                           photos, of any ending
#   annotations/{train,val}/*.png                  label maps: line of the class - 1, 255 ignored
_base_ = '../photos.py'
data_root = '{{$ZSCLIP_DATA:data/own}}'
classes = '{{$ZSCLIP_DATA:data/own}}/classes.txt'
unseen = '{{$ZSCLIP_DATA:data/own}}/unseen.txt'
photos = dict(
    type='mmseg_zsclip.SegDataset',
    data_root=data_root,
    metainfo=dict(classes=classes, unseen=unseen),
    img_suffix=None,
)

train_dataloader = dict(
    dataset=dict(
        photos, data_prefix=dict(img_path='images/train', seg_map_path='annotations/train')
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(photos, data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'))
)
