# MaskCLIP+ as in the toy world, taught by MaskCLIP on a small CLIP that tools/pretrain_clip.py
# learns on the data set's own captions; it looks through windows of 48 pixels.
_base_ = './maskclip_plus_toy.py'
arch = 'ViT-XS-8'
weights = '{{$ZSCLIP_WEIGHTS:work_dirs/camvid_clip/dense.pt}}'
text_tower = dict(arch=arch, weights=weights)
model = dict(
    backbone=dict(arch=arch, weights=weights),
    decode_head=dict(text=text_tower),
    teacher=dict(
        backbone=dict(arch=arch, weights=weights),
        decode_head=dict(text=text_tower),
        test_cfg=dict(mode='slide', crop_size=(48, 48), stride=(24, 24), window_batch=77),
    ),
    test_cfg=dict(crop_size=(48, 48), stride=(24, 24), window_batch=77),
)
