"""Non-maximum suppression: torchvision's where it has it, plain loops for the rare kinds."""

import torch
from torchvision.ops import nms as torchvision_nms

from .boxes import pairwise_iou
from .recompute import at_least_float32


def nms(
    boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int = 0
) -> torch.Tensor:
    """Return int64 indices of the kept boxes, best first.

    boxes (N, 4) xyxy, scores (N,). A box goes when its IoU with a better one is above the
    threshold; `offset` 1 counts the last pixel in (width = x2 - x1 + 1).
    """
    boxes, scores = at_least_float32(boxes, scores)
    grown = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    return torchvision_nms(grown, scores.to(grown), iou_threshold)


def softnms(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    dets: torch.Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> torch.Tensor:
    """Soft-NMS (Bodla et al. 2017): lower the scores of overlapping boxes instead of dropping.

    Writes (box, decayed score) of the kept boxes into the first rows of `dets` (N, 5) and returns
    their indices, in the order they were picked. `method`: 0 hard, 1 linear, 2 gaussian.
    """
    scores, left = scores.clone(), torch.arange(len(boxes), device=boxes.device)
    picked = []
    while len(left):
        best = left[scores[left].argmax()]
        dets[len(picked), :4], dets[len(picked), 4] = boxes[best], scores[best]
        picked.append(best)
        left = left[left != best]
        iou = pairwise_iou(boxes[best][None], boxes[left], offset)[0]
        if method == 2:
            decay = torch.exp(-(iou**2) / sigma)
        else:
            decay = torch.where(iou >= iou_threshold, (1 - iou) * method, torch.ones_like(iou))
        scores[left] *= decay
        left = left[scores[left] >= min_score]
    return torch.stack(picked) if picked else torch.empty(0, dtype=torch.long)


def nms_match(dets: torch.Tensor, iou_threshold: float) -> list[list[int]]:
    """Group dets (N, 5) xyxy + score: each kept index, then those it suppresses, best first."""
    order = dets[:, 4].sort(descending=True, stable=True).indices
    iou = pairwise_iou(dets[:, :4], dets[:, :4])
    free = torch.ones(len(dets), dtype=torch.bool)
    groups = []
    for index in order.tolist():
        if not free[index]:
            continue
        free[index] = False
        taken = order[(free & (iou[index] >= iou_threshold))[order]]
        free[taken] = False
        groups.append([index, *taken.tolist()])
    return groups
