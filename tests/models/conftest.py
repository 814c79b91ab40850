"""A small segmentor of each dense head."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'road', 'tree', 'car', 'dog']
HEADS = {
    'maskclip': dict(type='mmseg_zsclip.MaskCLIPHead'),
    'maskclip, refined': dict(type='mmseg_zsclip.MaskCLIPHead', ks_thresh=1.0, pd_thresh=0.2),
    'zegclip': dict(type='mmseg_zsclip.ZegCLIPHead', unseen=['car'], seen_offset=0.05),
    'zegclip, softmax': dict(type='mmseg_zsclip.ZegCLIPHead', scores='softmax', unseen=['car']),
    'text': dict(
        type='mmseg_zsclip.TextHead',
        head=dict(
            type='FCNHead',
            in_channels=192,
            in_index=-1,
            channels=8,
            num_convs=1,
            align_corners=True,
        ),
    ),
}
BACKBONES = dict(
    maskclip=dict(type='mmseg_zsclip.MaskCLIPViT'),
    zegclip=dict(type='mmseg_zsclip.DeepPromptedViT', num_prompts=2),
    text=dict(type='mmseg_zsclip.CLIPVisionTransformer'),
)


def config_of(head):
    return dict(
        type='mmseg_zsclip.OneStageSegmentor',
        data_preprocessor=dict(type='SegDataPreProcessor'),
        backbone=dict(arch='ViT-T-8', weights='toy', **BACKBONES[head.split(',')[0]]),
        decode_head=dict(classes=NAMES, text=dict(arch='ViT-T-8', weights='toy'), **HEADS[head]),
    )


@pytest.fixture
def small_config():
    return config_of


@pytest.fixture(params=HEADS)
def head(request):
    return request.param


@pytest.fixture
def small():
    """Makes a segmentor of `NAMES`, random and the same each time: a name of a head, `test_cfg`,
    and keys of its config."""
    init_default_scope('mmseg')

    def make(head, test_cfg=(), **changes):
        torch.manual_seed(0)
        model = MODELS.build({**config_of(head), 'test_cfg': ConfigDict(test_cfg), **changes})
        model.init_weights()
        for name, parameter in model.decode_head.named_parameters():
            if (
                'mask_attn' in name or 'query_proj' in name
            ):  # untrained, every pixel is of one class
                torch.nn.init.normal_(parameter)
        return model.eval()

    return make


# mask transformers of mmdet, as small as they go
RESNET = dict(type='mmdet.ResNet', depth=18, base_channels=8, norm_cfg=dict(type='BN'))
CHANNELS = [8, 16, 32, 64]


def attention(**changes):
    return dict(embed_dims=16, num_heads=2, dropout=0.0, batch_first=True, **changes)


FFN = dict(
    embed_dims=16,
    feedforward_channels=16,
    num_fcs=2,
    ffn_drop=0.0,
    act_cfg=dict(type='ReLU', inplace=True),
)
LOSSES = dict(
    loss_cls=dict(type='mmdet.CrossEntropyLoss', loss_weight=2.0, class_weight=[1.0, 0.1]),
    loss_dice=dict(
        type='mmdet.DiceLoss',
        use_sigmoid=True,
        activate=True,
        naive_dice=True,
        eps=1.0,
        loss_weight=5.0,
    ),
)


def training(mask_cost):
    return dict(
        num_points=32,
        oversample_ratio=3.0,
        importance_sample_ratio=0.75,
        sampler=dict(type='mmdet.MaskPseudoSampler'),
        assigner=dict(
            type='mmdet.HungarianAssigner',
            match_costs=[
                dict(type='mmdet.ClassificationCost', weight=2.0),
                mask_cost,
                dict(type='mmdet.DiceCost', weight=5.0, pred_act=True, eps=1.0),
            ],
        ),
    )


SHARED = dict(
    in_channels=CHANNELS,
    feat_channels=16,
    out_channels=16,
    num_things_classes=1,
    num_stuff_classes=0,
    num_queries=6,
    positional_encoding=dict(num_feats=8, normalize=True),
    **LOSSES,
)
MASK2FORMER = dict(
    type='mmdet.Mask2FormerHead',
    **SHARED,
    strides=[4, 8, 16, 32],
    num_transformer_feat_level=3,
    pixel_decoder=dict(
        type='mmdet.MSDeformAttnPixelDecoder',
        num_outs=3,
        norm_cfg=dict(type='GN', num_groups=4),
        act_cfg=dict(type='ReLU'),
        positional_encoding=dict(num_feats=8, normalize=True),
        encoder=dict(
            num_layers=1,
            layer_cfg=dict(self_attn_cfg=attention(num_levels=3, num_points=2), ffn_cfg=FFN),
        ),
    ),
    transformer_decoder=dict(
        return_intermediate=True,
        num_layers=2,
        layer_cfg=dict(self_attn_cfg=attention(), cross_attn_cfg=attention(), ffn_cfg=FFN),
    ),
    loss_mask=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True, loss_weight=5.0),
    train_cfg=training(dict(type='mmdet.CrossEntropyLossCost', weight=5.0, use_sigmoid=True)),
)
MASKFORMER = dict(
    type='mmdet.MaskFormerHead',
    **SHARED,
    pixel_decoder=dict(
        type='mmdet.PixelDecoder', norm_cfg=dict(type='GN', num_groups=4), act_cfg=dict(type='ReLU')
    ),
    enforce_decoder_input_project=True,
    transformer_decoder=dict(
        return_intermediate=True,
        num_layers=2,
        layer_cfg=dict(self_attn_cfg=attention(), cross_attn_cfg=attention(), ffn_cfg=FFN),
    ),
    loss_mask=dict(
        type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=20.0
    ),
    train_cfg=training(dict(type='mmdet.FocalLossCost', weight=20.0, binary_input=True)),
)
WHOLE_MASKS = dict(
    MASK2FORMER,
    type='mmseg_zsclip.WholeMaskHead',
    loss_mask=MASKFORMER['loss_mask'],
    train_cfg=MASKFORMER['train_cfg'],
)
TRANSFORMERS = dict(mask2former=MASK2FORMER, maskformer=MASKFORMER, whole_masks=WHOLE_MASKS)


@pytest.fixture
def tiny_generator():
    """Makes the config of a proposal generator: a key of `TRANSFORMERS`, keys of its head, and of
    itself."""

    def make(head='mask2former', head_keys=(), **changes):
        return dict(
            type='mmseg_zsclip.QueryProposals',
            backbone=RESNET,
            head={**TRANSFORMERS[head], **dict(head_keys)},
            **changes,
        )

    return make
