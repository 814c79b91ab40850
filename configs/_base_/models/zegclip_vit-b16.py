# ZegCLIP on OpenAI's ViT-B/16.
arch = 'ViT-B-16'
weights = 'openai'
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
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(426, 426)),
)
