# MaskCLIP on the package's toy ResNet CLIP. Statistics are CLIP's, in [0, 255].
arch = 'RN-T'
weights = 'toy'
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321579, 70.32316305],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255),
    backbone=dict(
        type='mmseg_zsclip.MaskCLIPResNet', arch=arch, weights=weights, attention='value'),
    decode_head=dict(
        type='mmseg_zsclip.MaskCLIPHead',
        text=dict(arch=arch, weights=weights, templates='single'),
        scale=20.0,
        ks_thresh=0.0,
        pd_thresh=0.0),
    test_cfg=dict(mode='whole'))
tta = dict(scales=[(384, 384), (512, 512), (640, 640)], flip=True)
