# As pixel_text_r50.py, with CLIP's ViT-B/16 and four of its blocks made a pyramid; its cells are
# those of the map of stride 16.
_base_ = './pixel_text_r50.py'
arch = 'ViT-B-16'
weights = 'openai'
model = dict(
    backbone=dict(
        type='mmseg_zsclip.PixelTextViT', arch=arch, weights=weights, out_indices=(3, 5, 7, 11)
    ),
    decode_head=dict(
        text=dict(arch=arch, weights=weights),
        pyramid=dict(type='mmseg_zsclip.NormedPyramid', embed_dim=768, norm_cfg=dict(type='BN')),
        fpn=dict(in_channels=[768] * 4),
        score_level=2,
    ),
)
