# MaskCLIP on OpenAI's ResNet-50, as the paper tests it: whole image, 85 templates.
arch = 'RN50'
weights = 'openai'
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
    backbone=dict(
        type='mmseg_zsclip.MaskCLIPResNet', arch=arch, weights=weights, attention='value'
    ),
    decode_head=dict(
        type='mmseg_zsclip.MaskCLIPHead',
        text=dict(arch=arch, weights=weights, templates='vild'),
        scale=100.0,
        ks_thresh=0.0,
        pd_thresh=0.0,
    ),
    test_cfg=dict(mode='whole'),
)
tta = dict(scales=[(2048, 224), (2048, 336), (2048, 520)], flip=True)
