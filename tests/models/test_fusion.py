"""What generator and classifier say of proposals becomes scores and labels of pixels."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.models import fusion
from mmseg_zsclip.models.fusion import (
    Ensemble,
    ZegFormerEnsemble,
    semantic_labels,
    semantic_scores,
    upper_bound,
)
from mmseg_zsclip.models.mask_ops import photo_masks
from mmseg_zsclip.models.proposals import Proposals

CLIP = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]])
GENERATOR = torch.tensor([[0.7, 0.1, 0.1], [0.2, 0.2, 0.4]])


def proposals(class_scores=None, objects=(1.0, 1.0)):
    return Proposals(torch.ones(2, 4, 4), torch.tensor(objects), class_scores)


def test_eq_9_by_two_exponents():
    weight = 0.7
    out = Ensemble(seen=1 - weight, unseen=weight)(CLIP, proposals(GENERATOR), unseen=[2])
    expected = [GENERATOR[:, c] ** weight * CLIP[:, c] ** (1 - weight) for c in (0, 1)]
    expected.append(GENERATOR[:, 2] ** (1 - weight) * CLIP[:, 2] ** weight)
    torch.testing.assert_close(out, torch.stack(expected, dim=1))


def test_without_ensemble_clip_decides_alone():
    assert torch.equal(Ensemble()(CLIP, proposals(GENERATOR), []), CLIP)
    assert torch.equal(Ensemble()(CLIP, proposals(), []), CLIP)


def test_with_exponents_of_0_the_generator_decides_alone():
    assert torch.equal(Ensemble(0, 0)(CLIP, proposals(GENERATOR), []), GENERATOR)


def test_zegformers_clip_says_of_seen_classes_how_likely_any_of_them_is():
    torch.manual_seed(0)
    clip, generator = torch.rand(2, 5).softmax(dim=1), torch.rand(2, 5)
    unseen, weight = [1, 4], 2 / 3
    out = ZegFormerEnsemble()(clip, proposals(generator), unseen)
    for p in range(2):
        mean = (clip[p, 0] + clip[p, 2] + clip[p, 3]) / 3
        for c in range(5):
            seen = generator[p, c] ** weight * mean ** (1 - weight)
            other = generator[p, c] ** (1 - weight) * clip[p, c] ** weight
            torch.testing.assert_close(out[p, c], other if c in unseen else seen)


def test_zegformers_ensemble_where_every_class_is_unseen_is_that_of_eq_9():
    ours = ZegFormerEnsemble(0.6)(CLIP, proposals(GENERATOR), [0, 1, 2])
    torch.testing.assert_close(ours, Ensemble(0.4, 0.6)(CLIP, proposals(GENERATOR), [0, 1, 2]))


def test_the_object_score_is_a_factor():
    out = Ensemble()(CLIP, proposals(objects=(0.5, 0.0)), [])
    assert torch.equal(out, torch.stack([0.5 * CLIP[0], 0 * CLIP[1]]))
    without = Ensemble(object_score=False)(CLIP, proposals(objects=(0.5, 0.0)), [])
    assert torch.equal(without, CLIP)


def test_of_a_proposal_in_the_padding_the_generator_decides():
    masks = torch.zeros(2, 4, 4)
    masks[0, 0], masks[1, 3] = 1, 1
    kept = slice(0, 3), slice(0, 4)
    out = Ensemble(0.5, 0.5)(CLIP, Proposals(masks, torch.ones(2), GENERATOR), [], kept)
    torch.testing.assert_close(out[0], (GENERATOR[0] * CLIP[0]).sqrt())
    torch.testing.assert_close(out[1], GENERATOR[1].sqrt())


@pytest.mark.parametrize(
    'options', [dict(seen=-0.1), dict(unseen=1.5), dict(seen=float('nan')), dict(unseen='0.7')]
)
def test_a_lambda_outside_0_and_1_is_named(options):
    ((name, value),) = options.items()
    with pytest.raises(
        ValueError, match=f'exponent {name} .* is {value!r}; legal values: 0 .* to 1'
    ):
        Ensemble(**options)


@pytest.mark.parametrize(
    'options', [dict(weight=1.1), dict(weight=float('nan')), dict(seen_offset=float('nan'))]
)
def test_zegformers_wrong_settings_are_named(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f'{name} is {value}; legal'):
        ZegFormerEnsemble(**options)


def test_an_ensemble_with_a_generator_that_knows_no_class_is_named():
    with pytest.raises(
        ValueError, match='exponents 0.3 and 0.7, but the generator gives no scores'
    ):
        Ensemble(0.3, 0.7)(CLIP, proposals(), [])


def test_true_iou_as_score_is_an_upper_bound():
    labels = torch.zeros(4, 4, dtype=torch.int64)
    labels[:, 2:], labels[0] = 2, 255
    masks = torch.stack([labels == 0, labels == 2, labels == 255]).float()
    scores = upper_bound(masks, labels, 3)
    torch.testing.assert_close(
        scores, torch.tensor([[1, 0, 0], [0, 0, 1], [0, 0, 0.0]]), atol=1e-6, rtol=0
    )
    best = semantic_labels(scores, masks, 255)
    assert torch.equal(best[1:], labels[1:])


def test_resizing_masks_is_resizing_the_result():
    masks, scores = torch.rand(5, 12, 16), torch.rand(5, 3)
    meta = dict(ori_shape=(25, 30), padding_size=(0, 3, 0, 2))
    ours = semantic_scores(scores, photo_masks(masks, meta))
    after = torch.einsum('pc,phw->chw', scores, masks)[None, :, :10, :13]
    torch.testing.assert_close(
        ours, F.interpolate(after, (25, 30), mode='bilinear', align_corners=False)[0]
    )


def test_labels_in_strips_are_those_of_the_scores(monkeypatch):
    masks, scores = torch.rand(5, 13, 16), torch.rand(5, 30)
    monkeypatch.setattr(fusion, 'STRIP', 30 * 16 * 4)
    assert torch.equal(
        semantic_labels(scores, masks, 255), semantic_scores(scores, masks).argmax(dim=0)
    )


def test_without_proposals_every_pixel_is_the_given_label():
    none = photo_masks(torch.zeros(0, 8, 8), dict(ori_shape=(5, 6)))
    assert (semantic_labels(torch.zeros(0, 3), none, 7) == 7).all()
    assert semantic_scores(torch.zeros(0, 3), none).shape == (3, 5, 6)
    assert Ensemble()(torch.zeros(0, 3), Proposals.of_masks(torch.zeros(0, 8, 8)), []).shape == (
        0,
        3,
    )
