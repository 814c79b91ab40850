# ZegCLIP on the toy CLIP of the package.
arch = 'ViT-T-8'
weights = 'toy'
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
    backbone=dict(type='mmseg_zsclip.DeepPromptedViT', arch=arch, weights=weights, num_prompts=10),
    decode_head=dict(
        type='mmseg_zsclip.ZegCLIPHead',
        text=dict(arch=arch, weights=weights, templates='single'),
        seen_offset=0.1,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(64, 64), stride=(32, 32), window_batch=9),
)
