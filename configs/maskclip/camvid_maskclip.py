# MaskCLIP on CamVid as in the toy world, on a small CLIP that tools/pretrain_clip.py learns on the
# captions; it looks through windows of 48 pixels.
_base_ = [
    '../_base_/models/maskclip_toy.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/training_free.py',
    '../_base_/default_runtime.py',
]
arch = 'ViT-XS-8'
weights = '{{$ZSCLIP_WEIGHTS:work_dirs/camvid_clip/dense.pt}}'
model = dict(
    backbone=dict(arch=arch, weights=weights),
    decode_head=dict(
        classes={{_base_.classes}},
        unseen={{_base_.unseen}},
        text=dict(arch=arch, weights=weights),
    ),
    test_cfg=dict(mode='slide', crop_size=(48, 48), stride=(24, 24), window_batch=77),
)
train_dataloader = None
