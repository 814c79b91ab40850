# MaskCLIP on the package's toy ResNet CLIP.
arch = 'RN-T'
weights = 'toy'
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
    backbone=dict(
        type='mmseg_zsclip.MaskCLIPResNet', arch=arch, weights=weights, attention='value'
    ),
    decode_head=dict(
        type='mmseg_zsclip.MaskCLIPHead',
        text=dict(arch=arch, weights=weights, templates='single'),
        scale=20.0,
        ks_thresh=0.0,
        pd_thresh=0.0,
    ),
    test_cfg=dict(mode='whole'),
)
tta = dict(scales=[(384, 384), (512, 512), (640, 640)], flip=True)
