"""Which class a proposal is of, and the loss that asks for it (MasQCLIP, section 4.2.2)."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import MODELS
from .mask_aware import mask_iou


def mask_dice(proposals: Tensor, targets: Tensor) -> Tensor:
    """Dice of masks (P, ...) with others (K, ...), smoothed by 1 as released: (K, P) float32."""
    p, t = proposals.flatten(1).float(), targets.flatten(1).float()
    return (2 * t @ p.T + 1) / (t.sum(dim=1)[:, None] + p.sum(dim=1) + 1)


OVERLAPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {'iou': mask_iou, 'dice': mask_dice}


def check_overlap(name: str, value: float, what: str) -> None:
    """That a measure of overlap is known and its threshold legal.

    Raises:
        ValueError: it is not.
    """
    if name not in OVERLAPS:
        raise ValueError(
            f"overlap is {name!r}; legal values: {', '.join(OVERLAPS)}. The paper has 'iou', its "
            "release 'dice'."
        )
    if not 0 <= value <= 1:
        raise ValueError(f'{what} is {value}; legal values: 0 to 1.')


def mask_labels(
    masks: Tensor,
    targets: Tensor,
    classes: Tensor,
    background: int,
    least: float = 0.6,
    overlap: str = 'iou',
) -> Tensor:
    """The class of the true mask that a proposal overlaps most, many proposals for one.

    Args:
        masks: (P, H, W) bool.
        targets: (K, H, W) bool.
        classes: (K,), which class each is of.
        background: the class of a proposal that overlaps none by more than `least`.
        overlap: a key of `OVERLAPS`.

    Returns:
        (P,) int64.
    """
    if not len(classes):
        return torch.full((len(masks),), background, device=masks.device)
    best, which = OVERLAPS[overlap](masks, targets).max(dim=0)
    return classes[which].masked_fill(best <= least, background)


@MODELS.register_module()
class MaskClassificationLoss(nn.Module):
    """Cross-entropy of proposals with the classes of `mask_labels` (Eq. 6).

    Args:
        least: overlap from which a proposal is of a class.
        overlap: 'iou', or 'dice' as released.
        size: (h, w) at which masks are compared, 336 x 336 in the release; as they are if left out.
        background_weight: of proposals that are of none, 0.1 in the release.
        loss_weight: 2 in the release.

    Raises:
        ValueError: an unknown `overlap`, `least` outside [0, 1].
    """

    def __init__(
        self,
        least: float = 0.6,
        overlap: str = 'iou',
        size: tuple[int, int] | None = None,
        background_weight: float = 0.1,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        check_overlap(overlap, least, 'least, the overlap with a true mask')
        self.least = least
        self.overlap = overlap
        self.size = size
        self.background_weight = background_weight
        self.loss_weight = loss_weight

    def resized(self, masks: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Masks (P, H, W) in [0, 1] and true ones (K, H', W') -> both bool, at `size`."""
        if self.size is not None and len(masks):
            logits = torch.logit(masks.float(), eps=1e-7)[None]
            masks = F.interpolate(logits, tuple(self.size), mode='bilinear')[0].sigmoid()
        if self.size is not None and len(targets):
            targets = F.interpolate(targets[None].float(), tuple(self.size))[0]
        return masks > 0.5, targets > 0.5

    def labels(self, masks: Tensor, targets: Tensor, classes: Tensor, background: int) -> Tensor:
        """As `mask_labels`, of probabilities."""
        both = self.resized(masks, targets)
        return mask_labels(*both, classes, background, self.least, self.overlap)

    def forward(
        self,
        logits: Sequence[Tensor],
        masks: Sequence[Tensor],
        targets: Sequence[Tensor],
        classes: Sequence[Tensor],
    ) -> Tensor:
        """The mean over all proposals of a batch, weighted; 0 where there is none.

        Args:
            logits: of each image (P_i, C + 1), the background last.
            masks: of each image (P_i, H, W), probabilities.
            targets, classes: of each image (K_i, H, W) and (K_i,).
        """
        rows = torch.cat(list(logits)).float()
        if not len(rows):
            return rows.sum()  # keeps the graph
        background = rows.shape[1] - 1
        with torch.no_grad():
            wanted = torch.cat(
                [self.labels(*one, background) for one in zip(masks, targets, classes, strict=True)]
            )
        weight = rows.new_ones(background + 1)
        weight[background] = self.background_weight
        return self.loss_weight * F.cross_entropy(rows, wanted, weight)  # Eq. 6
