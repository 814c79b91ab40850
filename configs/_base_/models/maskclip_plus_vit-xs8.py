# MaskCLIP+ with a small ResNet and DeepLabv2's head, from scratch, taught by MaskCLIP on a small CLIP that
# tools/pretrain_clip.py learns on the data set's own captions; it looks through windows of 48 pixels.
# Statistics are CLIP's, in [0, 255], for both.
arch = 'ViT-XS-8'
weights = '{{$ZSCLIP_WEIGHTS:work_dirs/camvid_clip/dense.pt}}'
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[122.7709383, 116.7460125, 104.09373615],
    std=[68.5005327, 66.6321579, 70.32316305],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255)
text_tower = dict(arch=arch, weights=weights, templates='single')
model = dict(
    type='mmseg_zsclip.SelfTrainedSegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        base_channels=32,
        stem_channels=32,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
        contract_dilation=True),
    decode_head=dict(
        type='mmseg_zsclip.TextHead',
        text=text_tower,
        head=dict(
            type='mmseg_zsclip.DeepLabV2Head',
            in_channels=256,
            in_index=3,
            channels=64,
            dilations=(1, 2, 3, 4),
            dropout_ratio=0.1,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))),
    teacher=dict(
        type='mmseg_zsclip.ZeroShotSegmentor',
        data_preprocessor=data_preprocessor,
        backbone=dict(
            type='mmseg_zsclip.MaskCLIPViT',
            arch=arch,
            weights=weights,
            attention='value',
            residual=False,
            ffn=False),
        decode_head=dict(type='mmseg_zsclip.MaskCLIPHead', text=text_tower, scale=28.0),
        test_cfg=dict(mode='slide', crop_size=(48, 48), stride=(24, 24), window_batch=77)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
