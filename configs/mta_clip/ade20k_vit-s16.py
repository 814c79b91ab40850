# MTA-CLIP on ADE20K with a ViT-S/16 of ImageNet-21k (table 3); text from the ViT-B/16 of CLIP.
_base_ = [
    '../_base_/models/mta_clip_vit-b16.py',
    '../_base_/datasets/ade150.py',
    '../_base_/schedules/mta_clip_160k.py',
    '../_base_/protocols/multi_scale_512.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}, mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        img_size={{_base_.crop_size}},
        embed_dims=384,
        num_heads=6,
        out_indices=(3, 5, 7, 11),
        drop_path_rate=0.1,
        norm_cfg=dict(type='LN', eps=1e-6),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segmenter/'
            'vit_small_p16_384_20220308-410f6037.pth',
        ),
    ),
    neck=dict(embed_dim=384),
    decode_head=dict(classes={{_base_.classes}}, in_channels=[384] * 4),
)
