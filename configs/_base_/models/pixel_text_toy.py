# As pixel_text_r50.py, small: the toy ResNet CLIP of the package.
_base_ = './pixel_text_r50.py'
arch = 'RN-T'
weights = 'toy'
model = dict(
    backbone=dict(arch=arch, weights=weights),
    decode_head=dict(
        text=dict(arch=arch, weights=weights, init_std=0.02),
        context=dict(width=64, layers=1),
        fpn=dict(in_channels=[64, 128, 256, 512], out_channels=64),
        in_channels=[64] * 4,
        channels=64,
    ),
)
