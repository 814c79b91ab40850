# Photos with a number for each thing, for the models of two stages whose masks are classified as in
# MasQCLIP: flipped and of 1024 x 1024 pixels in training, their aspect not kept, or, `jittered`,
# a crop of a photo of 0.1 to 2 times that. In tests a short edge of 800, at most 1333.
size = (1024, 1024)
meta_keys = ('img_path', 'ori_shape', 'img_shape', 'flip', 'flip_direction', 'instance_map')
loading = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen'),
    dict(type='mmseg_zsclip.LoadInstances'),
    dict(type='RandomFlip', prob=0.5),
]
packing = dict(type='PackSegInputs', meta_keys=meta_keys)
resized = [*loading, dict(type='Resize', scale=size), packing]
jittered = [
    *loading,
    dict(type='RandomResize', scale=size, ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=size),
    packing,
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.LoadInstances'),
    packing,
]
