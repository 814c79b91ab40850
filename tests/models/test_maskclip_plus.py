"""Heads whose classifier is text: against the formula, on mmseg's heads, and their errors."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.models import DeepLabV2Head, TextHead
from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'road', 'tree, bush', 'car']
TEXT = dict(arch='ViT-XS-8')
LOSS = dict(type='CrossEntropyLoss', avg_non_ignore=True)
SHAPES = [(2, 8, 16, 16), (2, 12, 8, 8), (2, 16, 4, 4), (2, 20, 4, 4)]
HEADS = dict(
    deeplabv2=dict(type='mmseg_zsclip.DeepLabV2Head', in_channels=20, in_index=3, channels=8),
    deeplabv3plus=dict(
        type='DepthwiseSeparableASPPHead',
        in_channels=20,
        in_index=3,
        channels=8,
        dilations=(1, 2),
        c1_in_channels=8,
        c1_channels=4,
        norm_cfg=dict(type='BN'),
    ),
    psp=dict(type='PSPHead', in_channels=20, in_index=3, channels=8, pool_scales=(1, 2)),
    segformer=dict(
        type='SegformerHead',
        in_channels=[8, 12, 16, 20],
        in_index=[0, 1, 2, 3],
        channels=8,
        norm_cfg=dict(type='BN'),
    ),
    upernet=dict(
        type='UPerHead',
        in_channels=[8, 12, 16, 20],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2),
        channels=8,
        norm_cfg=dict(type='BN'),
    ),
)


@pytest.fixture(autouse=True)
def setup():
    init_default_scope('mmseg')
    torch.manual_seed(0)


def text_head(head='deeplabv2', classes=NAMES, **settings):
    head = MODELS.build(
        dict(
            type='mmseg_zsclip.TextHead',
            classes=classes,
            text=TEXT,
            head=dict(HEADS[head], loss_decode=LOSS),
            **settings,
        )
    )
    head.init_weights()
    return head


def maps():
    return [torch.randn(*shape) for shape in SHAPES]


@pytest.mark.parametrize('name', HEADS)
def test_any_head_of_mmseg_trains_and_predicts_with_text(name):
    head = text_head(name)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=torch.randint(0, 4, (1, 64, 64))))] * 2
    losses = head.loss(maps(), samples, None)
    losses['loss_ce'].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    out = head.eval().predict(maps(), [dict(img_shape=(64, 64))] * 2, None)
    assert out.shape == (2, 4, 64, 64)


def test_logits_are_dot_products_with_the_classes_embeddings():
    head = text_head().eval()
    logits, joint = head.forward_with_features(maps())
    text = head.class_embeddings()
    expected = torch.einsum('bdhw,cd->bchw', joint, text)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(text.norm(dim=1), torch.ones(4))


def test_deeplabv2_is_a_sum_of_dilated_convolutions():
    head = DeepLabV2Head(in_channels=6, channels=5, num_classes=3, dilations=(1, 2)).eval()
    x = torch.randn(1, 6, 9, 7)
    total = sum(
        torch.nn.functional.conv2d(x, b.weight, b.bias, padding=r, dilation=r)
        for b, r in zip(head.branches, (1, 2), strict=True)
    )
    torch.testing.assert_close(head([x]), head.conv_seg(total))
    assert DeepLabV2Head(in_channels=6, channels=5, num_classes=3).branches[3].dilation == (24, 24)


def test_the_vocabulary_changes_at_run_time():
    head = text_head(unseen=['car']).eval()
    assert (head.seen, head.unseen) == ([0, 1, 2], [3])
    before = head(maps())
    head.set_classes(['a red car', 'sky'], unseen=['a red car'])
    assert (head.num_classes, head.out_channels, head.unseen) == (2, 2, [0])
    assert (before.shape[1], head(maps()).shape[1]) == (4, 2)


def test_a_learned_background_is_trained_and_the_names_are_not():
    head = text_head(classes=['background', *NAMES], learned_background=True)
    classifier = head.head.conv_seg
    assert torch.equal(classifier.text()[0], classifier.background)
    assert torch.equal(classifier.text()[1:], head.class_embeddings()[1:])
    head(maps()).sum().backward()
    assert classifier.background.grad.abs().sum() > 0


def test_a_head_with_another_classifier_is_refused():
    with pytest.raises(ValueError, match='SegmenterMaskTransformerHead.*conv_seg'):
        TextHead(
            dict(
                type='SegmenterMaskTransformerHead',
                in_channels=8,
                channels=8,
                num_layers=1,
                num_heads=2,
                embed_dims=8,
            ),
            NAMES,
            TEXT,
        )


def test_a_learned_background_needs_its_class():
    with pytest.raises(ValueError, match='learned_background .* none of the 4 classes'):
        text_head(learned_background=True)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="'sky' is the only class"):
        text_head(classes=['sky'])


def labelled(value):
    return [SegDataSample(gt_sem_seg=PixelData(data=torch.full((1, 64, 64), value)))] * 2


@pytest.mark.parametrize('name', HEADS)
def test_an_unseen_label_never_trains_a_text_head_in_a_plain_segmentor(name):
    head = text_head(name, unseen=['car'])
    with pytest.raises(ValueError, match=r"ground-truth leak: labels of \['car'\]"):
        head.loss(maps(), labelled(3), None)
    assert head.loss(maps(), labelled(2), None)['loss_ce'] > 0
    assert head.loss(maps(), labelled(-1), None)['loss_ce'] == 0


@pytest.mark.parametrize('name', HEADS)
def test_scores_are_float32_in_mixed_precision(name):
    head = text_head(name).eval()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        assert (
            head.head.conv_seg.proj(torch.randn(1, head.head.conv_seg.proj.in_channels, 2, 2)).dtype
            == torch.bfloat16
        )
        assert head(maps()).dtype == torch.float32
        assert head.predict(maps(), [dict(img_shape=(64, 64))] * 2, None).dtype == torch.float32
