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
made_by = dict(
    file='camvid_clip/dense.pt',
    command='python tools/pretrain_clip.py --images $ZSCLIP_CAMVID/images/train --labels '
    '$ZSCLIP_CAMVID/annotations/train --names camvid --patch-term 1 --minutes 38 '
    '--out work_dirs/camvid_clip',
)
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
