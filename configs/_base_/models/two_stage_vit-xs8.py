# Two stages of the toy world's size, on a small CLIP that tools/pretrain_clip.py learns on the data
# set's own captions; `scale` is what it learned.
_base_ = './two_stage_toy.py'
arch = 'ViT-XS-8'
weights = '{{$ZSCLIP_WEIGHTS:work_dirs/camvid_clip/dense.pt}}'
model = dict(
    data_preprocessor=dict(test_cfg=dict(size_divisor=32)),
    classifier=dict(arch=arch, weights=weights),
    text=dict(arch=arch, weights=weights),
    scale=17.0,
)
