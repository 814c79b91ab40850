"""Pixel-text alignment: scores of cells with text, as channels and as a loss."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'road', 'tree', 'car', 'dog']
TEXT = dict(arch='RN-T', weights='toy', length=4)


@pytest.fixture
def model():
    """Makes a segmentor on the toy ResNet CLIP, random and the same each time."""
    init_default_scope('mmseg')

    def make(text=TEXT, backbone='PixelTextResNet', **head):
        torch.manual_seed(0)
        built = MODELS.build(
            dict(
                type='mmseg_zsclip.OneStageSegmentor',
                data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
                backbone=dict(type=f'mmseg_zsclip.{backbone}', arch='RN-T', weights='toy'),
                decode_head=dict(
                    type='mmseg_zsclip.PixelTextHead',
                    classes=NAMES,
                    text=text,
                    fpn=dict(
                        type='FPN', in_channels=[64, 128, 256, 512], out_channels=16, num_outs=4
                    ),
                    in_channels=[16] * 4,
                    in_index=[0, 1, 2, 3],
                    feature_strides=[4, 8, 16, 32],
                    channels=8,
                    dropout_ratio=0.0,
                    norm_cfg=dict(type='BN'),
                    align_corners=False,
                    **head,
                ),
                test_cfg=dict(mode='whole'),
            )
        )
        built.init_weights()
        return built

    return make


def sample():
    labels = torch.zeros(1, 64, 64, dtype=torch.int64)
    labels[:, 32:] = 3
    labels[:, :, 48:] = 255
    meta = dict(img_shape=(64, 64), ori_shape=(64, 64))
    return SegDataSample(gt_sem_seg=PixelData(data=labels), metainfo=meta)


def test_scores_are_cosines_of_cells_with_the_text(model):
    one = model().eval()
    *maps, tokens = one.extract_feat(torch.randn(2, 3, 64, 96))
    assert tokens.shape == (2, 1 + 2 * 3, 128)
    found = one.decode_head.scores(tokens, maps[3].shape[2:])
    text = one.decode_head.prompts()
    cosine = F.cosine_similarity(tokens[1, 1 + 4], text[2, 0], dim=0)
    torch.testing.assert_close(found[1, 2, 1, 1], cosine)


def test_scores_are_channels_of_their_map(model):
    one = model().eval()
    inputs = one.extract_feat(torch.randn(1, 3, 64, 64))
    seen = []
    one.decode_head.fpn.register_forward_pre_hook(lambda _, args: seen.extend(args[0]))
    logits, scores = one.decode_head.both(inputs)
    assert logits.shape == (1, 5, 16, 16)
    assert [x.shape[1] for x in seen] == [64, 128, 256, 512 + 5]
    assert torch.equal(seen[3][:, 512:], scores)


def test_the_loss_of_scores_is_cross_entropy_over_tau(model):
    one = model(tau=0.1, score_weight=0.5).train()
    head, img = one.decode_head, torch.randn(1, 3, 64, 64)
    inputs = one.extract_feat(img)
    losses = head.loss(inputs, [sample()], {})
    scores = F.interpolate(head.both(inputs)[1] / 0.1, (64, 64), mode='bilinear')
    each = F.cross_entropy(scores, sample().gt_sem_seg.data, ignore_index=255, reduction='none')
    torch.testing.assert_close(losses['loss_scores'], 0.5 * each.mean())


@pytest.mark.parametrize('context', [None, dict(width=16, heads=2, layers=1)])
def test_everything_trained_gets_a_gradient(model, context):
    one = model(context=context).train()
    losses = one.loss(torch.randn(2, 3, 64, 64), [sample(), sample()])
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    without = [n for n, p in one.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    assert one.decode_head.prompts.contexts.grad.abs().sum() > 0


def test_the_image_adds_to_the_text(model):
    one = model(context=dict(width=16, heads=2, layers=1)).eval()
    head = one.decode_head
    with torch.no_grad():
        head.context.gamma.fill_(1.0)
    text = head.prompts()[:, 0]
    first, second = (
        head.context(text, one.extract_feat(torch.randn(1, 3, 64, 64))[-1]) for _ in range(2)
    )
    assert first.shape == (1, 5, 128)
    assert not torch.allclose(first, second)


def test_without_text_it_is_a_semantic_fpn(model):
    one = model(text=None, backbone='CLIPResNet').train()
    losses = one.loss(torch.randn(2, 3, 64, 64), [sample(), sample()])
    assert sorted(losses) == ['decode.acc_seg', 'decode.loss_ce']
    assert one.decode_head.fpn.in_channels == [64, 128, 256, 512]


def test_the_tokens_of_a_vit_are_those_of_its_projection():
    backbone = MODELS.build(
        dict(type='mmseg_zsclip.PixelTextViT', arch='ViT-T-8', weights='toy', out_indices=(1, 5))
    )
    backbone.init_weights()
    img = torch.randn(1, 3, 64, 64)
    first, last, tokens = backbone.eval()(img)
    assert first.shape == last.shape == (1, 192, 8, 8)
    assert tokens.shape == (1, 65, 192)
    torch.testing.assert_close(tokens[:, 0], backbone.visual(img))
    assert all(p.requires_grad for p in backbone.parameters())


def test_bad_options_are_named(model):
    with pytest.raises(ValueError, match='tau is 0; a temperature is above 0'):
        model(tau=0)
    with pytest.raises(ValueError, match=r'contexts is 2.*Write contexts=1'):
        model(text=dict(TEXT, contexts=2))


@pytest.mark.parametrize(
    ('text', 'backbone', 'found'), [(TEXT, 'CLIPResNet', 4), (None, 'PixelTextResNet', 5)]
)
def test_tokens_go_with_text(model, text, backbone, found):
    one = model(text=text, backbone=backbone)
    with pytest.raises(ValueError, match=f'gives {found} tensors .*Use PixelTextResNet or'):
        one(torch.randn(1, 3, 64, 64))


def test_a_map_of_another_stride_than_the_tokens(model):
    one = model(score_level=2)
    with pytest.raises(ValueError, match='score_level 2 has 4 x 4 cells, the backbone 4 tokens'):
        one(torch.randn(1, 3, 64, 64))
