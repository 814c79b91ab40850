# Photos as FreeSeg's code has them, for the models of two stages: a short edge from half to one and
# a half times the crop, in steps of a tenth, and 640 in tests.
crop_640 = (640, 640)
crop_512 = (512, 512)
loading = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='mmseg_zsclip.HideUnseen'),
]
changing = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
short_edge = dict(type='RandomChoiceResize', resize_type='ResizeShortestEdge', max_size=2560)
train_640 = [
    *loading,
    dict(short_edge, scales=[int(640 * tenths / 10) for tenths in range(5, 16)]),
    dict(type='RandomCrop', crop_size=crop_640),
    *changing,
]
train_512 = [
    *loading,
    dict(short_edge, scales=[int(512 * tenths / 10) for tenths in range(5, 16)]),
    dict(type='RandomCrop', crop_size=crop_512),
    *changing,
]
test_640 = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2560, 640), keep_ratio=True),
    dict(type='mmseg_zsclip.LoadLabels'),
    dict(type='PackSegInputs'),
]
