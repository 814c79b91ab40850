# A class-agnostic Mask2Former of the toy world, from scratch, and IP-CLIP on the toy CLIP of the
# package whose pre-training had a term on patches: the contrastive one takes clouds for sky.
# `scale` is what that CLIP learned; S is the second of its six blocks, where class tokens of scenes
# of 16 x 16 patches go astray least.
arch = 'ViT-T-8'
weights = 'toy-dense'
attention = dict(embed_dims=64, num_heads=4, dropout=0.0, batch_first=True)
ffn = dict(
    embed_dims=64,
    feedforward_channels=128,
    num_fcs=2,
    ffn_drop=0.0,
    act_cfg=dict(type='ReLU', inplace=True),
)
positions = dict(num_feats=32, normalize=True)
model = dict(
    type='mmseg_zsclip.TwoStageSegmentor',
    data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
    generator=dict(
        type='mmseg_zsclip.QueryProposals',
        backbone=dict(
            type='mmdet.ResNet', depth=18, base_channels=32, norm_cfg=dict(type='BN'), init_cfg=None
        ),
        head=dict(
            type='mmdet.Mask2FormerHead',
            in_channels=[32, 64, 128, 256],
            strides=[4, 8, 16, 32],
            feat_channels=64,
            out_channels=64,
            num_things_classes=1,
            num_stuff_classes=0,
            num_queries=48,
            num_transformer_feat_level=3,
            pixel_decoder=dict(
                type='mmdet.MSDeformAttnPixelDecoder',
                num_outs=3,
                norm_cfg=dict(type='GN', num_groups=16),
                act_cfg=dict(type='ReLU'),
                encoder=dict(
                    num_layers=1,
                    layer_cfg=dict(
                        self_attn_cfg=dict(num_levels=3, num_points=4, **attention), ffn_cfg=ffn
                    ),
                ),
                positional_encoding=positions,
            ),
            positional_encoding=positions,
            transformer_decoder=dict(
                return_intermediate=True,
                num_layers=2,
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
                num_points=512,
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
    classifier=dict(
        type='mmseg_zsclip.IPCLIPViT', arch=arch, weights=weights, start_block=1, clip_size=None
    ),
    text=dict(arch=arch, weights=weights, templates='single'),
    scale=28.0,
)
