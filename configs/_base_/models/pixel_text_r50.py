# Pixel-text alignment in the manner of DenseCLIP: a Semantic FPN on CLIP's ResNet-50, whose deepest
# map gets the scores of its cells with the text of every class, as channels and as a loss.
arch = 'RN50'
weights = 'openai'
norm_cfg = dict(type='BN')
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(
        type='mmseg_zsclip.CLIPDataPreProcessor', test_cfg=dict(size_divisor=32)
    ),
    backbone=dict(type='mmseg_zsclip.PixelTextResNet', arch=arch, weights=weights),
    decode_head=dict(
        type='mmseg_zsclip.PixelTextHead',
        text=dict(arch=arch, weights=weights, contexts=1, length=8, init_std=1.0),
        context=dict(width=256, heads=4, layers=3, dropout=0.1),
        fpn=dict(type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=4),
        score_level=3,
        tau=0.07,
        score_weight=0.4,
        in_channels=[256, 256, 256, 256],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=256,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
