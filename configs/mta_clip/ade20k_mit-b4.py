# MTA-CLIP on ADE20K with MiT-B4 of ImageNet-1k (table 3); text from the ViT-B/16 of CLIP.
_base_ = [
    '../_base_/models/mta_clip_r50.py',
    '../_base_/datasets/ade150.py',
    '../_base_/schedules/mta_clip_160k.py',
    '../_base_/protocols/multi_scale_512.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(
        size={{_base_.crop_size}}, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=dict(
        _delete_=True,
        type='MixVisionTransformer',
        embed_dims=64,
        num_layers=[3, 8, 27, 3],
        num_heads=[1, 2, 5, 8],
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
            'mit_b4_20220624-d588d980.pth',
        ),
    ),
    decode_head=dict(
        classes={{_base_.classes}}, text=dict(arch='ViT-B-16'), in_channels=[64, 128, 320, 512]
    ),
)
