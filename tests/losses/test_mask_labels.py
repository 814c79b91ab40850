"""Which class a proposal is of, and what is asked of it."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.losses import MaskClassificationLoss
from mmseg_zsclip.losses.mask_labels import mask_dice, mask_labels

BACKGROUND = 5


def columns(*ends):
    """Masks of 4 x 10 pixels: columns a to b."""
    place = torch.arange(10).expand(4, 10)
    return torch.stack([(a <= place) & (place < b) for a, b in ends])


TRUTH, CLASSES = columns((0, 5), (5, 10)), torch.tensor([3, 1])


def test_a_proposal_is_of_the_class_it_overlaps_most():
    masks = columns((0, 5), (1, 5), (6, 10), (0, 10), (0, 3))
    assert mask_labels(masks, TRUTH, CLASSES, BACKGROUND).tolist() == [3, 3, 1, 5, 5]


def test_the_threshold_itself_is_background():
    assert mask_labels(columns((0, 3)), TRUTH, CLASSES, BACKGROUND, least=0.6).tolist() == [5]
    assert mask_labels(columns((0, 3)), TRUTH, CLASSES, BACKGROUND, least=0.59).tolist() == [3]


def test_dice_is_more_lenient_than_iou():
    masks = columns((0, 3))
    assert mask_dice(masks, TRUTH).flatten().tolist() == pytest.approx([25 / 33, 1 / 33])
    assert mask_labels(masks, TRUTH, CLASSES, BACKGROUND, 0.6, 'dice').tolist() == [3]


def test_without_truth_all_is_background():
    none = torch.zeros(0, 4, 10, dtype=torch.bool), torch.zeros(0, dtype=torch.int64)
    assert mask_labels(columns((0, 3), (4, 8)), *none, BACKGROUND).tolist() == [5, 5]


def test_the_loss_is_the_weighted_cross_entropy_of_the_whole_batch():
    logits = [torch.randn(2, 6), torch.randn(1, 6)]
    masks = [columns((0, 5), (0, 10)).float(), columns((5, 10)).float()]
    out = MaskClassificationLoss(loss_weight=2.0)(logits, masks, [TRUTH] * 2, [CLASSES] * 2)
    rows = F.cross_entropy(torch.cat(logits), torch.tensor([3, 5, 1]), reduction='none')
    torch.testing.assert_close(out, 2 * (rows[0] + 0.1 * rows[1] + rows[2]) / 2.1)


def test_masks_are_compared_at_a_size_of_their_own():
    loss = MaskClassificationLoss(size=(8, 20))
    masks = F.interpolate(columns((0, 5)).float()[None], (16, 40), mode='nearest')[0]
    assert [one.shape for one in loss.resized(masks, TRUTH)] == [(1, 8, 20), (2, 8, 20)]
    assert loss.labels(masks, TRUTH, CLASSES, BACKGROUND).tolist() == [3]


def test_a_batch_without_proposals_has_a_loss_of_zero_with_a_graph():
    logits = torch.zeros(0, 6, requires_grad=True)
    value = MaskClassificationLoss()([logits], [torch.zeros(0, 4, 10)], [TRUTH], [CLASSES])
    assert value == 0
    value.backward()


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="overlap is 'giou'; legal values: iou, dice"):
        MaskClassificationLoss(overlap='giou')
    with pytest.raises(ValueError, match='overlap with a true mask is 1.2; legal values: 0 to 1'):
        MaskClassificationLoss(least=1.2)
