# MaskCLIP+: DeepLabv2 on a ResNet-101 of ImageNet, taught by MaskCLIP on OpenAI's ResNet-50. Each
# sees the batch with its own statistics; the paper feeds both the target's (section 3.4): give the
# teacher's data_preprocessor the target's mean and std for that.
arch = 'RN50'
weights = 'openai'
text_tower = dict(arch=arch, weights=weights, templates='vild')
model = dict(
    type='mmseg_zsclip.SelfTrainedSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='ResNetV1c',
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet101_v1c'),
        depth=101,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
        contract_dilation=True,
    ),
    decode_head=dict(
        type='mmseg_zsclip.TextHead',
        text=text_tower,
        head=dict(
            type='mmseg_zsclip.DeepLabV2Head',
            in_channels=2048,
            in_index=3,
            channels=512,
            dilations=(6, 12, 18, 24),
            dropout_ratio=0.1,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    ),
    teacher=dict(
        type='mmseg_zsclip.OneStageSegmentor',
        data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
        backbone=dict(type='mmseg_zsclip.MaskCLIPResNet', arch=arch, weights=weights),
        decode_head=dict(type='mmseg_zsclip.MaskCLIPHead', text=text_tower, scale=100.0),
        test_cfg=dict(mode='whole'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
