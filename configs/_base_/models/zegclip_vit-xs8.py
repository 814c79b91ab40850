# ZegCLIP on a small CLIP that tools/pretrain_clip.py learns on the data set's own captions.
arch = 'ViT-XS-8'
weights = '{{$ZSCLIP_WEIGHTS:work_dirs/camvid_clip/dense.pt}}'
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
    backbone=dict(type='mmseg_zsclip.DeepPromptedViT', arch=arch, weights=weights, num_prompts=10),
    decode_head=dict(
        type='mmseg_zsclip.ZegCLIPHead',
        text=dict(arch=arch, weights=weights, templates='single'),
        seen_offset=0.175,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(48, 48), stride=(24, 24), window_batch=77),
)
