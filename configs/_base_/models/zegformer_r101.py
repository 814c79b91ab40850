# ZegFormer (Ding et al., CVPR 2022) as MAFT uses it: a MaskFormer whose queries are scored by text,
# and frozen CLIP on sub-images.
arch = 'ViT-B-16'
weights = 'openai'
ip_clip = dict(type='mmseg_zsclip.IPCLIPViT', arch=arch, weights=weights, clip_size=480)
attention = dict(embed_dims=256, num_heads=8, dropout=0.1, batch_first=True)
ffn = dict(
    embed_dims=256,
    feedforward_channels=2048,
    num_fcs=2,
    ffn_drop=0.1,
    act_cfg=dict(type='ReLU', inplace=True),
)
model = dict(
    type='mmseg_zsclip.TwoStageSegmentor',
    data_preprocessor=dict(
        type='mmseg_zsclip.CLIPDataPreProcessor', test_cfg=dict(size_divisor=32)
    ),
    generator=dict(
        type='mmseg_zsclip.QueryProposals',
        statistics=((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        text=dict(text_dim=512, hidden=()),
        backbone=dict(
            type='mmseg.ResNet',
            depth=101,
            norm_cfg=dict(type='BN', requires_grad=False),
            norm_eval=True,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'),
        ),
        head=dict(
            type='mmdet.MaskFormerHead',
            in_channels=[256, 512, 1024, 2048],
            feat_channels=256,
            out_channels=256,
            num_things_classes=1,
            num_stuff_classes=0,
            num_queries=100,
            pixel_decoder=dict(
                type='mmdet.PixelDecoder',
                norm_cfg=dict(type='GN', num_groups=32),
                act_cfg=dict(type='ReLU'),
            ),
            positional_encoding=dict(num_feats=128, normalize=True),
            transformer_decoder=dict(
                return_intermediate=True,
                num_layers=6,
                layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=ffn),
            ),
            loss_cls=dict(type='mmdet.CrossEntropyLoss', loss_weight=1.0, class_weight=[1.0, 0.1]),
            loss_mask=dict(
                type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=20.0
            ),
            loss_dice=dict(
                type='mmdet.DiceLoss',
                use_sigmoid=True,
                activate=True,
                naive_dice=True,
                eps=1.0,
                loss_weight=1.0,
            ),
            train_cfg=dict(
                sampler=dict(type='mmdet.MaskPseudoSampler'),
                assigner=dict(
                    type='mmdet.HungarianAssigner',
                    match_costs=[
                        dict(type='mmdet.ClassificationCost', weight=1.0),
                        dict(type='mmdet.FocalLossCost', weight=20.0, binary_input=True),
                        dict(type='mmdet.DiceCost', weight=1.0, pred_act=True, eps=1.0),
                    ],
                ),
            ),
        ),
    ),
    classifier=dict(type='mmseg_zsclip.SubImageCLIP', arch=arch, weights=weights),
    text=dict(arch=arch, weights=weights, templates='vild14', synonyms='joined'),
    fusion=dict(type='mmseg_zsclip.ZegFormerEnsemble'),
)
