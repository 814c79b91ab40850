# Cityscapes, 19 classes. No published seen/unseen split.
# tools/dataset_converters/cityscapes.py; folder: ZSCLIP_CITYSCAPES.
_base_ = '../photos.py'
classes = 'cityscapes'
unseen = 'none'
data_root = '{{$ZSCLIP_CITYSCAPES:data/cityscapes}}'
photos = dict(
    type='mmseg_zsclip.CityscapesDataset', data_root=data_root, metainfo=dict(unseen=unseen)
)
scale = (2048, 1024)
crop_size = (512, 1024)
sizes = dict(
    RandomResize=dict(scale=scale), RandomCrop=dict(crop_size=crop_size), Resize=dict(scale=scale)
)
train_pipeline = [dict(step, **sizes.get(step.type, {})) for step in _base_.train_pipeline]
test_pipeline = [dict(step, **sizes.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline,
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        photos,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline=test_pipeline,
    )
)
