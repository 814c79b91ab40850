# MaskCLIP+ in the toy world: DeepLabv2's head on a ViT that starts as the toy CLIP's (the paper's
# target starts from ImageNet), taught by MaskCLIP on the same CLIP;
# tested through windows as large as its training crops.
arch = 'ViT-T-8'
weights = 'toy'
data_preprocessor = dict(type='mmseg_zsclip.CLIPDataPreProcessor')
text_tower = dict(arch=arch, weights=weights, templates='single')
model = dict(
    type='mmseg_zsclip.SelfTrainedSegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='mmseg_zsclip.CLIPVisionTransformer', arch=arch, weights=weights, out_indices=(5,)
    ),
    decode_head=dict(
        type='mmseg_zsclip.TextHead',
        text=text_tower,
        head=dict(
            type='mmseg_zsclip.DeepLabV2Head',
            in_channels=192,
            in_index=0,
            channels=64,
            dilations=(1, 2, 3, 4),
            dropout_ratio=0.1,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    ),
    teacher=dict(
        type='mmseg_zsclip.OneStageSegmentor',
        data_preprocessor=data_preprocessor,
        backbone=dict(
            type='mmseg_zsclip.MaskCLIPViT',
            arch=arch,
            weights=weights,
            attention='value',
            residual=False,
            ffn=False,
        ),
        decode_head=dict(type='mmseg_zsclip.MaskCLIPHead', text=text_tower, scale=28.0),
        test_cfg=dict(mode='whole'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(64, 64), stride=(32, 32), window_batch=9),
)
