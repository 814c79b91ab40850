# MasQCLIP's class-agnostic Mask2Former, and CLIP with mask class tokens that have nothing of their
# own yet, the row "Freeze" of table 5. Words are bare names.
arch = 'ViT-L-14-336'
weights = 'openai'
attention = dict(embed_dims=256, num_heads=8, dropout=0.0, batch_first=True)
ffn = dict(
    embed_dims=256,
    feedforward_channels=2048,
    num_fcs=2,
    ffn_drop=0.0,
    act_cfg=dict(type='ReLU', inplace=True),
)
positions = dict(num_feats=128, normalize=True)
model = dict(
    type='mmseg_zsclip.TwoStageSegmentor',
    data_preprocessor=dict(
        type='mmseg_zsclip.CLIPDataPreProcessor', test_cfg=dict(size_divisor=32)
    ),
    generator=dict(
        type='mmseg_zsclip.QueryProposals',
        statistics=((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        backbone=dict(
            type='mmseg.ResNet',
            depth=50,
            norm_cfg=dict(type='BN', requires_grad=False),
            norm_eval=True,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
        ),
        head=dict(
            type='mmdet.Mask2FormerHead',
            in_channels=[256, 512, 1024, 2048],
            strides=[4, 8, 16, 32],
            feat_channels=256,
            out_channels=256,
            num_things_classes=1,
            num_stuff_classes=0,
            num_queries=100,
            num_transformer_feat_level=3,
            pixel_decoder=dict(
                type='mmdet.MSDeformAttnPixelDecoder',
                num_outs=3,
                norm_cfg=dict(type='GN', num_groups=32),
                act_cfg=dict(type='ReLU'),
                encoder=dict(
                    num_layers=6,
                    layer_cfg=dict(
                        self_attn_cfg=dict(num_levels=3, num_points=4, **attention),
                        ffn_cfg=dict(ffn, feedforward_channels=1024),
                    ),
                ),
                positional_encoding=positions,
            ),
            positional_encoding=positions,
            transformer_decoder=dict(
                return_intermediate=True,
                num_layers=9,
                layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=ffn),
            ),
            loss_cls=dict(type='mmdet.CrossEntropyLoss', loss_weight=2.0, class_weight=[1.0, 0.1]),
            loss_mask=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True, loss_weight=5.0),
            loss_dice=dict(
                type='mmdet.DiceLoss',
                use_sigmoid=True,
                activate=True,
                naive_dice=True,
                eps=1.0,
                loss_weight=5.0,
            ),
            train_cfg=dict(
                num_points=12544,
                oversample_ratio=3.0,
                importance_sample_ratio=0.75,
                sampler=dict(type='mmdet.MaskPseudoSampler'),
                assigner=dict(
                    type='mmdet.HungarianAssigner',
                    match_costs=[
                        dict(type='mmdet.ClassificationCost', weight=2.0),
                        dict(type='mmdet.CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
                        dict(type='mmdet.DiceCost', weight=5.0, pred_act=True, eps=1.0),
                    ],
                ),
            ),
        ),
    ),
    classifier=dict(type='mmseg_zsclip.MasQCLIPViT', arch=arch, weights=weights, tune='freeze'),
    text=dict(arch=arch, weights=weights, templates='none'),
)
