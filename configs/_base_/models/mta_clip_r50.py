# MTA-CLIP: mmseg's Mask2Former with a ResNet-50 of CLIP, text queries and the loss that aligns
# masks with them. What the paper leaves open is written out; configs/mta_clip/README.md says why.
arch = 'RN50'
weights = 'openai'
attention = dict(embed_dims=256, num_heads=8, dropout=0.0, batch_first=True)
ffn = dict(embed_dims=256, num_fcs=2, ffn_drop=0.0, act_cfg=dict(type='ReLU', inplace=True))
positions = dict(num_feats=128, normalize=True)
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(
        type='mmseg_zsclip.CLIPDataPreProcessor', test_cfg=dict(size_divisor=32)
    ),
    backbone=dict(type='mmseg_zsclip.CLIPResNet', arch=arch, weights=weights),
    decode_head=dict(
        type='mmseg_zsclip.MTACLIPHead',
        text=dict(arch=arch, weights=weights, contexts=3, length=8, init_std=0.02),
        queries=dict(depth=2, position='zero', mask='none', attention='joint'),
        alignment=dict(depth=2, per_layer=False, initial=False),
        loss_sim=dict(
            type='mmseg_zsclip.MaskTextLoss',
            tau=0.07,
            learned_tau=False,
            similarity='cosine',
            negatives='mix',
            normaliser='queries',
            loss_weight=1.0,
        ),
        in_channels=[256, 512, 1024, 2048],
        strides=[4, 8, 16, 32],
        feat_channels=256,
        out_channels=256,
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
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=dict(ffn, feedforward_channels=2048),
            ),
        ),
        loss_cls=dict(type='mmdet.CrossEntropyLoss', loss_weight=2.0),
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
    test_cfg=dict(mode='whole'),
)
