# Photos with a number for each thing, as MasQCLIP has them. In training they are flipped and of
# 1024 x 1024 pixels, `resized` with their aspect not kept, or `jittered`, a crop of a photo of 0.1
# to 2 times that; for Mask R-CNN and in tests they have a short edge of 800, and 1333 at most.
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
short_800 = dict(type='Resize', scale=(1333, 800), keep_ratio=True)
train_800 = [*loading, short_800, packing]
test_800 = [
    dict(type='LoadImageFromFile'),
    short_800,
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.LoadInstances'),
    packing,
]
# The size of other sets' photos for `zsclip bench`, and words that are not those of their labels.
other_sets = dict(
    ade_panoptic=dict(scale=(2560, 640)),
    ade150=dict(scale=(2560, 640), classes='ade150_words'),
    ade847=dict(scale=(2048, 512)),
    context59=dict(scale=(2048, 512)),
    pc459=dict(scale=(2048, 512)),
)
