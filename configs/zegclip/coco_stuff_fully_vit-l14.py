# A tower of 0.3 G parameters, which the processes share out: docs/large_scale.md. Not of the paper.
_base_ = [
    '../_base_/models/zegclip_vit-b16.py',
    '../_base_/datasets/coco_stuff.py',
    '../_base_/schedules/zegclip_80k.py',
    '../_base_/default_runtime.py',
]
arch = 'ViT-L-14'
crop_size = (504, 504)  # 36 patches
runner_type = 'mmseg_zsclip.ShardedRunner'
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(arch=arch, num_prompts=100),
    decode_head=dict(classes={{_base_.classes}}, unseen='none', text=dict(arch=arch)),
    test_cfg=dict(crop_size=crop_size, stride=(420, 420)),
)
train_dataloader = dict(
    dataset=dict(
        setting='fully',
        pipeline=[
            dict(step, crop_size=crop_size) if 'crop_size' in step else step
            for step in _base_.train_pipeline
        ],
    )
)
