# MaskCLIP on the toy CLIP of the package. Its patch term is aimed at out_proj(V) alone, so that is
# what is read: no residual, no feed-forward network. `scale` is what the CLIP
# learned.
arch = 'ViT-T-8'
weights = 'toy-dense'
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
    backbone=dict(
        type='mmseg_zsclip.MaskCLIPViT',
        arch=arch,
        weights=weights,
        attention='value',
        residual=False,
        ffn=False,
    ),
    decode_head=dict(
        type='mmseg_zsclip.MaskCLIPHead',
        text=dict(arch=arch, weights=weights, templates='single'),
        scale=28.0,
        ks_thresh=0.0,
        pd_thresh=0.0,
    ),
    test_cfg=dict(mode='whole'),
)
tta = dict(scales=[(96, 96), (128, 128), (160, 160)], flip=True)
