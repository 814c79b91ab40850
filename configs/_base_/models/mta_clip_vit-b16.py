# As mta_clip_r50.py, with CLIP's ViT-B/16 and four of its blocks made a pyramid, as DenseCLIP does.
_base_ = './mta_clip_r50.py'
arch = 'ViT-B-16'
weights = 'openai'
model = dict(
    backbone=dict(
        type='mmseg_zsclip.CLIPVisionTransformer',
        arch=arch,
        weights=weights,
        out_indices=(3, 5, 7, 11),
    ),
    neck=dict(type='mmseg_zsclip.NormedPyramid', embed_dim=768, norm_cfg=dict(type='BN')),
    decode_head=dict(text=dict(arch=arch, weights=weights), in_channels=[768] * 4),
)
