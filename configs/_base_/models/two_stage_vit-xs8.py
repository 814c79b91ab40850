# Two stages of the toy world's size, on a small CLIP that tools/pretrain_clip.py learns on the data
# set's own captions; `scale` is what it learned.
_base_ = './two_stage_toy.py'
arch = 'ViT-XS-8'
weights = '{{$ZSCLIP_WEIGHTS:work_dirs/camvid_clip/dense.pt}}'
made_by = dict(
    file='camvid_clip/dense.pt',
    command='python tools/pretrain_clip.py --images $ZSCLIP_CAMVID/images/train --labels '
    '$ZSCLIP_CAMVID/annotations/train --names camvid --patch-term 1 --minutes 38 '
    '--out work_dirs/camvid_clip',
)
model = dict(
    data_preprocessor=dict(test_cfg=dict(size_divisor=32)),
    classifier=dict(arch=arch, weights=weights),
    text=dict(arch=arch, weights=weights),
    scale=17.0,
)
