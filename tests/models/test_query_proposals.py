"""Mask2Former and MaskFormer as generators: object or none, or scored by the vocabulary's text."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope

from mmseg_zsclip.models.proposals import check_proposals
from mmseg_zsclip.registry import MODELS

HEADS = ['mask2former', 'maskformer']
TEXT = F.normalize(torch.randn(5, 12, generator=torch.Generator().manual_seed(0)), dim=1)
BY_TEXT = dict(text=dict(dim=16, text_dim=12, hidden=(8,)))
INTERACTING = dict(**BY_TEXT, interaction=dict(dim=16, text_dim=12, inner=8, heads=2))
METAS = [
    dict(img_shape=(64, 96), ori_shape=(64, 96), padding_size=(0, 0, 0, 0)),
    dict(img_shape=(60, 80), ori_shape=(30, 40), padding_size=(0, 16, 0, 4)),
]


@pytest.fixture
def build(tiny_generator):
    init_default_scope('mmseg')

    def make(head='mask2former', **changes):
        torch.manual_seed(0)
        model = MODELS.build(tiny_generator(head, **changes))
        model.init_weights()
        return model.eval()

    return make


def targets():
    """Two masks, and an image of which nothing is labelled."""
    masks = torch.zeros(2, 64, 96, dtype=torch.bool)
    masks[0, :32], masks[1, 40:, 20:50] = True, True
    return [(masks, torch.tensor([3, 1])), (masks[:0], torch.zeros(0, dtype=torch.int64))]


@pytest.mark.parametrize('head', HEADS)
@torch.no_grad()
def test_a_query_is_an_object_or_none(build, head):
    img = torch.randn(2, 3, 64, 96)
    proposals = build(head)(img, METAS, TEXT)
    check_proposals(proposals, img, len(TEXT))
    assert [len(one) for one in proposals] == [6, 6]
    assert all(one.class_scores is None for one in proposals)
    assert (proposals[0].object_scores < 1).all()


@pytest.mark.parametrize('options', [BY_TEXT, INTERACTING])
@torch.no_grad()
def test_a_query_is_scored_by_text_of_any_vocabulary(build, options):
    img = torch.randn(2, 3, 64, 96)
    model = build(**options)
    for text in (TEXT, TEXT[:3]):
        proposals = model(img, METAS, text)
        check_proposals(proposals, img, len(text))
        assert (proposals[0].class_scores.sum(dim=1) < 1).all()  # the rest is no object
        assert proposals[0].object_scores.tolist() == [1] * 6


@torch.no_grad()
def test_with_the_interaction_masks_depend_on_the_vocabulary(build):
    img = torch.randn(1, 3, 64, 96)
    for options, same in ((BY_TEXT, True), (INTERACTING, False)):
        model = build(**options)
        ours, theirs = (model(img, METAS[:1], text)[0].masks for text in (TEXT, TEXT[:2]))
        assert torch.allclose(ours, theirs) == same


@pytest.mark.parametrize(
    ('head', 'options'),
    [
        ('mask2former', {}),
        ('mask2former', BY_TEXT),
        ('mask2former', INTERACTING),
        ('maskformer', {}),
        ('maskformer', BY_TEXT),
        ('whole_masks', INTERACTING),
    ],
)
def test_losses_are_finite_and_reach_every_tensor(build, head, options):
    model = build(head, **options)
    losses = model.loss(torch.randn(2, 3, 64, 96), METAS, TEXT, targets())
    total = sum(value for name, value in losses.items() if 'loss' in name)
    assert total.isfinite()
    total.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None]
    assert not silent
    if options:
        assert model.head.cls_embed.no_object.grad.any()
    nothing = model.loss(torch.randn(2, 3, 64, 96), METAS, TEXT, targets()[1:] * 2)
    assert sum(value for name, value in nothing.items() if 'loss' in name).isfinite()


@torch.no_grad()
def test_with_whole_masks_every_pixel_is_in_the_loss(build):
    """One mask, so that the best query has it: focal and dice loss by their formulas."""
    model = build('whole_masks', **BY_TEXT)
    img, truth = torch.randn(1, 3, 64, 96), torch.zeros(1, 64, 96)
    truth[0, 40:, 20:50] = 1
    losses = model.loss(img, METAS[:1], TEXT, [(truth.bool(), torch.tensor([3]))])
    logits = model.outputs(img, METAS[:1], TEXT)[1][-1]
    s = F.interpolate(logits, (64, 96), mode='bilinear', align_corners=False)[0].sigmoid()
    right = torch.where(truth > 0, s, 1 - s)
    focal = torch.where(truth > 0, 0.25, 0.75) * (1 - right) ** 2 * -right.log()
    focal = 20 * focal.mean(dim=(1, 2))
    both = 2 * (s * truth).sum(dim=(1, 2)) + 1
    dice = 5 * (1 - both / (s.sum(dim=(1, 2)) + truth.sum() + 1))
    mine = torch.stack([losses['loss_mask'], losses['loss_dice']]).flatten()
    assert (torch.stack([focal, dice], dim=1) - mine).abs().amax(dim=1).min() < 1e-4


def save(model, path, classes):
    torch.save(
        dict(
            state_dict={f'generator.{name}': value for name, value in model.state_dict().items()},
            meta=dict(dataset_meta=dict(classes=classes)),
        ),
        path,
    )


def test_stage_1_is_read_whole_or_not_at_all(build, tmp_path):
    path = tmp_path / 'stage1.pth'
    first = build()
    save(first, path, ['sky', 'road'])
    second = build(checkpoint=str(path))
    assert all(
        torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items()
    )
    with pytest.raises(
        ValueError, match=r'stage1.pth is not of this generator: \d+ tensors missing'
    ):
        build(**BY_TEXT, checkpoint=str(path))
    with pytest.raises(ValueError, match='is not of this generator'):
        build('maskformer', checkpoint=str(path))


def test_stage_1_of_another_vocabulary_is_named(build, tmp_path):
    path = tmp_path / 'stage1.pth'
    save(build(), path, ['sky', 'road'])
    model = build(checkpoint=str(path))
    model.check_classes(['sky', 'road'])
    build().check_classes(['anything'])
    with pytest.raises(
        ValueError,
        match="trained on 2 classes, the vocabulary has 2; first difference 'road' and 'tree'",
    ):
        model.check_classes(['sky', 'tree'])
    with pytest.raises(ValueError, match='trained on 2 classes, the vocabulary has 1'):
        model.check_classes(['sky'])


def test_a_head_of_several_classes_or_an_interaction_without_text_is_named(build):
    with pytest.raises(ValueError, match='the head has 3 classes; a generator has one'):
        build(head_keys=dict(num_things_classes=3))
    with pytest.raises(ValueError, match='interaction needs `text`'):
        build(interaction=INTERACTING['interaction'])
    with pytest.raises(ValueError, match='interaction needs `text`'):
        build('maskformer', **INTERACTING)
