# MaskCLIP+ with DeepLabv2, taught by MaskCLIP on OpenAI's ViT-B/16.
_base_ = './maskclip_plus_deeplabv2_r101.py'
arch = 'ViT-B-16'
model = dict(
    decode_head=dict(text=dict(arch=arch)),
    teacher=dict(
        backbone=dict(_delete_=True, type='mmseg_zsclip.MaskCLIPViT', arch=arch, weights='openai'),
        decode_head=dict(text=dict(arch=arch)),
    ),
)
