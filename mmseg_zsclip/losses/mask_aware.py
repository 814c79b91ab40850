"""The losses of MAFT (section 4.2): CLIP's score of a proposal becomes its IoU,
and CLIP stays CLIP.

Plain functions first. Nothing is computed in half precision: sums run over all pixels of an image.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..masks import EPS, mask_iou
from ..registry import MODELS


def min_max(iou: Tensor) -> Tensor:
    """Each row from 0 to 1 (Eq. 5): (K, P) -> (K, P)."""
    least = iou.amin(dim=1, keepdim=True)
    return (iou - least) / (iou.amax(dim=1, keepdim=True) - least + 1e-8)  # Eq. 5


def generalised_kl(scores: Tensor, targets: Tensor) -> Tensor:
    """t log(t / s) - t + s of each pair, for values of which none sum to 1: at least 0, and 0 only
    where they are equal. The paper has a row 'KL' in table 4b and no formula."""
    s = scores.clamp(min=EPS)
    return torch.xlogy(targets, targets) - targets * s.log() - targets + s


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'smooth_l1': lambda s, t: F.smooth_l1_loss(s, t, reduction='none'),
    'l1': lambda s, t: (s - t).abs(),
    'l2': lambda s, t: (s - t) ** 2,
    'kl': generalised_kl,
}


def check_distance(name: str) -> str:
    if name not in DISTANCES:
        raise ValueError(
            f'distance is {name!r}; legal values: {", ".join(DISTANCES)}. The paper '
            "chooses 'smooth_l1'."
        )
    return name


def mask_aware_loss(
    logits: Sequence[Tensor],
    masks: Sequence[Tensor],
    targets: Sequence[Tensor],
    labels: Sequence[Tensor],
    distance: str = 'smooth_l1',
) -> Tensor:
    """How far CLIP's scores of proposals are from their IoU with the classes in the image (Eq. 7).

    Args:
        logits: of each image (P_i, C), their softmax over the training classes is A_c (Eq. 1).
        masks: of each image (P_i, H, W), probabilities.
        targets: of each image (K_i, H, W), the map of each class that is there; an unlabelled pixel
            is in none.
        labels: of each image (K_i,), which class each map is of.
        distance: a key of `DISTANCES`, the rows of table 4b.

    Returns:
        The mean over all pairs of class and proposal; 0 where there is none.
    """
    measure, pairs = DISTANCES[check_distance(distance)], []
    for row, proposals, maps, classes in zip(logits, masks, targets, labels, strict=True):
        if not len(row) or not len(classes):
            continue
        with torch.no_grad():
            wanted = min_max(mask_iou(proposals, maps))
        scores = row.float().softmax(dim=1)[:, classes].T  # Eq. 6
        pairs.append(measure(scores, wanted).flatten())
    if not pairs:
        return sum(row.sum() for row in logits) * 0.0  # keeps the graph
    return torch.cat(pairs).mean()  # Eq. 7


def self_distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """SmoothL1 between what two CLIPs say of whole images (Eq. 8): logits (B, C) each -> scalar."""
    return F.smooth_l1_loss(student.float().softmax(dim=1), teacher.float().softmax(dim=1))


@MODELS.register_module()
class MaskAwareLoss(nn.Module):
    """`mask_aware_loss` with its distance and its weight."""

    def __init__(self, distance: str = 'smooth_l1', loss_weight: float = 1.0) -> None:
        super().__init__()
        self.distance = check_distance(distance)
        self.loss_weight = loss_weight

    def forward(
        self,
        logits: Sequence[Tensor],
        masks: Sequence[Tensor],
        targets: Sequence[Tensor],
        labels: Sequence[Tensor],
    ) -> Tensor:
        return self.loss_weight * mask_aware_loss(logits, masks, targets, labels, self.distance)


@MODELS.register_module()
class SelfDistillationLoss(nn.Module):
    """`self_distillation_loss` with its weight: 1 in the paper, 0.1 in the release."""

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return self.loss_weight * self_distillation_loss(student, teacher)
