"""MAFT's losses: scores of proposals become their IoU, and the whole image keeps its scores."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.losses import (
    MaskAwareLoss,
    SelfDistillationLoss,
    mask_aware_loss,
    self_distillation_loss,
)
from mmseg_zsclip.losses.mask_aware import DISTANCES, min_max
from mmseg_zsclip.masks import mask_iou

MAPS = torch.zeros(2, 6, 6)
MAPS[0, :3], MAPS[1, 3:5] = 1, 1  # the last row is unlabelled


def logits_of(scores):
    """Logits (P, 3) whose softmax has `scores` (2, P) in its first two columns."""
    return torch.cat([scores, 1 - scores.sum(dim=0, keepdim=True)]).T.log()


def test_iou_of_binary_masks_is_counted():
    iou = mask_iou(MAPS, MAPS)
    torch.testing.assert_close(iou, torch.eye(2), atol=1e-6, rtol=0)
    half = torch.zeros(1, 6, 6)
    half[0, :, :3] = 1
    torch.testing.assert_close(mask_iou(half, MAPS), torch.tensor([[9 / 27], [6 / 24]]))
    assert mask_iou(torch.zeros(1, 6, 6), torch.zeros(1, 6, 6)).item() == 0


def test_mass_on_unlabelled_pixels_lowers_the_iou():
    wider = MAPS[1:] + torch.zeros(6, 6).index_fill(0, torch.tensor([5]), 1)
    assert mask_iou(wider, MAPS[1:]).item() == pytest.approx(2 / 3)


def test_the_worst_proposal_of_a_class_is_0_and_the_best_1():
    out = min_max(torch.tensor([[0.2, 0.5, 0.8], [0.3, 0.3, 0.3]]))
    torch.testing.assert_close(out, torch.tensor([[0, 0.5, 1], [0, 0, 0.0]]))


@pytest.mark.parametrize('distance', DISTANCES)
def test_scores_that_are_the_iou_cost_nothing_and_others_do(distance):
    masks = torch.cat([MAPS, 0.5 * MAPS.sum(dim=0, keepdim=True)])
    wanted = min_max(mask_iou(masks, MAPS)).clamp(1e-6, 1 - 2e-6)
    right = logits_of(wanted * 0.999999)
    labels = [torch.tensor([0, 1])]
    loss = MaskAwareLoss(distance)
    assert loss([right], [masks], [MAPS], labels) < 1e-4
    assert loss([right.flip(0)], [masks], [MAPS], labels) > 0.01


def test_it_is_a_mean_over_all_pairs_of_class_and_proposal():
    torch.manual_seed(0)
    masks, logits = (
        [torch.rand(3, 6, 6), torch.rand(1, 6, 6)],
        [torch.randn(3, 4), torch.randn(1, 4)],
    )
    targets, labels = [MAPS, MAPS[:1]], [torch.tensor([2, 0]), torch.tensor([3])]
    terms = []
    for row, mask, maps, classes in zip(logits, masks, targets, labels, strict=True):
        for k, c in enumerate(classes):
            iou = torch.stack(
                [(m * maps[k]).sum() / (m + maps[k] - m * maps[k]).sum() for m in mask]
            )
            iou = (iou - iou.min()) / (iou.max() - iou.min() + 1e-8)
            terms += [F.smooth_l1_loss(row.softmax(dim=1)[p, c], iou[p]) for p in range(len(mask))]
    torch.testing.assert_close(
        mask_aware_loss(logits, masks, targets, labels), torch.stack(terms).mean()
    )


def test_images_without_proposals_or_classes_take_no_part():
    masks, labels = torch.rand(3, 6, 6), torch.tensor([0, 1])
    logits = torch.randn(3, 4)
    alone = mask_aware_loss([logits], [masks], [MAPS], [labels])
    more = mask_aware_loss(
        [torch.randn(0, 4), logits, torch.randn(3, 4)],
        [masks[:0], masks, masks],
        [MAPS, MAPS, MAPS[:0]],
        [labels, labels, labels[:0]],
    )
    assert torch.equal(alone, more)
    nothing = torch.randn(0, 4, requires_grad=True)
    mask_aware_loss([nothing], [masks[:0]], [MAPS], [labels]).backward()
    assert nothing.grad is not None


def test_no_gradient_reaches_the_masks():
    masks, logits = torch.rand(3, 6, 6, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    mask_aware_loss([logits], [masks], [MAPS], [torch.tensor([0, 1])]).backward()
    assert masks.grad is None
    assert logits.grad.any()


def test_two_equal_clips_need_no_distillation():
    logits = torch.randn(2, 5)
    assert self_distillation_loss(logits, logits + 3) < 1e-12  # softmax takes no offset
    assert SelfDistillationLoss(0.5)(logits, -logits) == 0.5 * self_distillation_loss(
        logits, -logits
    )
    assert self_distillation_loss(logits, -logits) > 0


def test_an_unknown_distance_is_named():
    with pytest.raises(ValueError, match="'huber'; legal values: smooth_l1, l1, l2, kl"):
        MaskAwareLoss('huber')
