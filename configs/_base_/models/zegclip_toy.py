# ZegCLIP on the toy CLIP of the package. Statistics are CLIP's, in [0, 255].
arch = 'ViT-T-8'
weights = 'toy'
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321579, 70.32316305],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255),
    backbone=dict(
        type='mmseg_zsclip.DeepPromptedViT', arch=arch, weights=weights, num_prompts=10),
    decode_head=dict(
        type='mmseg_zsclip.ZegCLIPHead',
        text=dict(arch=arch, weights=weights, templates='single'),
        seen_offset=0.1),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(64, 64), stride=(32, 32), window_batch=9))
