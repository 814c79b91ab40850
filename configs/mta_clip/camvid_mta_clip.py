# MTA-CLIP on CamVid, all 11 classes seen, on whole photos, with the small CLIP that
# tools/pretrain_clip.py learns on the captions; its patches have 8 pixels, so strides are half.
# 1000 steps take half an hour on a core.
_base_ = [
    '../_base_/models/mta_clip_toy.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/mta_clip_toy.py',
    '../_base_/default_runtime.py',
]
unseen = 'none'
metainfo = dict(unseen=unseen)
arch = 'ViT-XS-8'
weights = '{{$ZSCLIP_WEIGHTS:work_dirs/camvid_clip/dense.pt}}'
model = dict(
    data_preprocessor=dict(size=(192, 256)),
    backbone=dict(
        _delete_=True, type='mmseg_zsclip.CLIPVisionTransformer', arch=arch, weights=weights
    ),
    neck=dict(type='mmseg_zsclip.NormedPyramid', embed_dim=192, norm_cfg=dict(type='BN')),
    decode_head=dict(
        classes={{_base_.classes}},
        text=dict(arch=arch, weights=weights),
        in_channels=[192] * 4,
        strides=[2, 4, 8, 16],
    ),
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        metainfo=metainfo,
        pipeline=[step for step in _base_.train_pipeline if step.type != 'RandomCrop'],
    ),
)
val_dataloader = dict(dataset=dict(metainfo=metainfo))
test_dataloader = dict(dataset=dict(metainfo=metainfo))
param_scheduler = [dict(_base_.param_scheduler[0], end=1000)]
train_cfg = dict(max_iters=1000, val_interval=1000)
