# MaskCLIP+ as with DeepLabv2, on DeepLabv3+.
_base_ = './maskclip_plus_deeplabv2_r101.py'
model = dict(
    decode_head=dict(
        head=dict(
            _delete_=True,
            type='DepthwiseSeparableASPPHead',
            in_channels=2048,
            in_index=3,
            channels=512,
            dilations=(1, 12, 24, 36),
            c1_in_channels=256,
            c1_channels=48,
            dropout_ratio=0.1,
            norm_cfg=dict(type='SyncBN', requires_grad=True),
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        )
    )
)
