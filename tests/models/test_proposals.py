"""Proposals: what flows between the parts of a two-stage model."""

import pytest
import torch

from mmseg_zsclip.models.proposals import Proposals, check_proposals, padded

IMAGES = torch.zeros(2, 3, 8, 12)


def some(count, size=(8, 12), **scores):
    return Proposals(torch.rand(count, *size), torch.ones(count), **scores)


def test_binary_masks_are_proposals():
    one = Proposals.of_masks(torch.ones(3, 8, 12, dtype=torch.bool))
    assert one.masks.dtype == torch.float32
    assert one.object_scores.tolist() == [1, 1, 1]
    assert len(one) == 3


def test_parts_of_different_length_are_named():
    with pytest.raises(ValueError, match=r'masks of proposals are \(8, 12\); expected \(P, H, W\)'):
        Proposals(torch.rand(8, 12), torch.ones(8))
    with pytest.raises(ValueError, match=r'object_scores are \(2,\) for 3 masks'):
        Proposals(torch.rand(3, 8, 12), torch.ones(2))
    with pytest.raises(ValueError, match=r'class_scores are \(2, 5\) for 3 masks'):
        some(3, class_scores=torch.rand(2, 5))


def test_masks_of_no_floating_point_type_are_named():
    with pytest.raises(TypeError, match=r'torch\.bool; expected floating point. Make them with'):
        Proposals(torch.ones(3, 8, 12, dtype=torch.bool), torch.ones(3))


@pytest.mark.parametrize('value', [-0.5, 2.0, float('nan')])
@pytest.mark.parametrize('name', ['object_scores', 'class_scores'])
def test_scores_outside_0_and_1_are_named(name, value):
    scores = dict(object_scores=torch.ones(3), class_scores=torch.ones(3, 5))
    scores[name][1] = value
    with pytest.raises(ValueError, match=f'{name} of image 1 range from .*; legal: prob'):
        check_proposals([some(3), Proposals(torch.rand(3, 8, 12), **scores)], IMAGES, 5)


def test_proposals_of_another_batch_size_or_vocabulary_are_named():
    check_proposals([some(3), some(0)], IMAGES, 5)
    with pytest.raises(ValueError, match='1 images have proposals, but the batch has 2'):
        check_proposals([some(3)], IMAGES)
    with pytest.raises(ValueError, match='masks of image 1 are 4 x 6 pixels, .* 8 x 12'):
        check_proposals([some(3), some(2, (4, 6))], IMAGES)
    with pytest.raises(ValueError, match='scores 4 classes, the vocabulary has 5'):
        check_proposals([some(3), some(2, class_scores=torch.rand(2, 4))], IMAGES, 5)


def test_logits_in_the_place_of_masks_are_named():
    with pytest.raises(
        ValueError, match=r'masks of image 0 range from -3 to 7; .* Apply a sigmoid'
    ):
        check_proposals(
            [Proposals(torch.tensor([[[-3.0, 7.0]]]), torch.ones(1))], torch.zeros(1, 3, 1, 2)
        )


def test_the_missing_proposals_of_an_image_are_empty():
    masks = padded([some(3).masks, some(1).masks, some(0).masks])
    assert masks.shape == (3, 3, 8, 12)
    assert masks.flatten(2).any(dim=2).sum(dim=1).tolist() == [3, 1, 0]
