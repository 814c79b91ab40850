# As mta_clip_r50.py, small: the toy ResNet CLIP of the package, a decoder layer for each map.
_base_ = './mta_clip_r50.py'
arch = 'RN-T'
weights = 'toy'
attention = dict(embed_dims=64, num_heads=4)
ffn = dict(embed_dims=64, feedforward_channels=128)
positions = dict(num_feats=32)
model = dict(
    backbone=dict(arch=arch, weights=weights),
    decode_head=dict(
        text=dict(arch=arch, weights=weights),
        in_channels=[64, 128, 256, 512],
        feat_channels=64,
        out_channels=64,
        num_queries=32,
        pixel_decoder=dict(
            norm_cfg=dict(num_groups=16),
            encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=ffn)),
            positional_encoding=positions,
        ),
        positional_encoding=positions,
        transformer_decoder=dict(
            num_layers=3,
            layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=ffn),
        ),
        train_cfg=dict(num_points=512),
    ),
)
