# ZSSeg (Xu et al., ECCV 2022) as MAFT uses it, but that it learns its prompts; here they are
# sentences. A MaskFormer as in ZegFormer, and the ensemble of Eq. 9 with lambda = 0.8.
_base_ = './zegformer_r101.py'
model = dict(
    generator=dict(
        backbone=dict(
            type='mmseg.ResNetV1c',
            multi_grid=(1, 2, 4),
            init_cfg=dict(checkpoint='open-mmlab://resnet101_v1c'),
        ),
        text=dict(hidden=(1024,)),
    ),
    fusion=dict(_delete_=True, type='mmseg_zsclip.Ensemble', seen=0.2, unseen=0.8),
)
