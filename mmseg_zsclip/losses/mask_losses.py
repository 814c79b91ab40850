"""Non-exclusive mask losses: each class is its own yes-or-no question. Source: ZegCLIP,
section 3.4.

Plain function first; the registered class takes mmseg's loss arguments, so it fits any head.
"""

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn

from ..registry import MODELS
from .fast_mask_losses import fast_mask_losses


def mask_losses(
    logits: Tensor,
    labels: Tensor,
    ignore_index: int = 255,
    alpha: float = 0.25,
    gamma: float = 2.0,
    squared: bool = True,
    smooth: float = 0.0,
    count_ignored_as_negative: bool = False,
) -> tuple[Tensor, ...]:
    """Focal and dice loss of every class of every image (ZegCLIP, Eq. 4 and 5),
    as they are written.

    `fast_mask_losses` computes the same in less time and memory.

    Args:
        logits: (B, C, h, w) before the sigmoid; resized bilinearly to the labels' size.
        labels: (B, H, W) int64, values 0..C-1 or `ignore_index`.
        alpha, gamma: of the focal loss, balanced as in RetinaNet: positives weigh alpha, negatives
            1 - alpha. `alpha=0.5, gamma=0` is half the binary cross-entropy.
        squared: False leaves out the squares of the denominator of dice, as the released code does.
        smooth: added above and below in dice; the released code uses 1.
        count_ignored_as_negative: the released code's way, in which an ignored pixel is a negative
            of every class; by default it takes no part.

    Returns:
        focal (B, C), a mean over the pixels of an image; dice (B, C); size (B, C), the pixels of a
        class; and, one number, the labelled pixels whose largest logit is that of their class.
    """
    logits = F.interpolate(logits, labels.shape[1:], mode='bilinear', align_corners=False)
    known = (labels != ignore_index)[:, None]  # (B, 1, H, W)
    own = labels[:, None].where(known, 0)
    y = torch.zeros_like(logits).scatter_(1, own, known.to(logits.dtype))  # the masks, 0 or 1
    counted = torch.ones_like(known) if count_ignored_as_negative else known
    power, p = 2 if squared else 1, logits.sigmoid()

    wrong = p + y - 2 * p * y  # p where y is 0, 1 - p where it is 1
    cross_entropy = F.binary_cross_entropy_with_logits(logits, y, reduction='none')
    balance = alpha * y + (1 - alpha) * (1 - y)
    focal = balance * wrong**gamma * cross_entropy  # Eq. 4
    pixels = counted.sum((2, 3)).clamp(min=1)
    focal = (focal * counted).sum((2, 3)) / pixels

    overlap = 2 * (p * y).sum((2, 3)) + smooth
    area = (p**power * counted + y).sum((2, 3)) + smooth
    dice = 1 - overlap / area.clamp(min=torch.finfo(area.dtype).eps)  # Eq. 5

    right = (logits.gather(1, own) >= logits.amax(1, keepdim=True)) & known
    return focal, dice, y.sum((2, 3)), right.sum().to(logits.dtype)


def count_masks(present: Tensor) -> Tensor:
    """Number of (image, class) masks per process, averaged over processes, at least 1."""
    count = present.sum().float()
    all_reduce(count, op='mean')
    return count.clamp(min=1)


@MODELS.register_module()
class MaskLoss(nn.Module):
    """Focal loss of every class and dice loss of the classes present, per mask (ZegCLIP, Eq. 6).

    Both are summed over images and classes and divided by the number of class masks in the batch.
    The paper's "plus" loss of table 6 is the default; `alpha=0.5, gamma=0, dice_weight=0` is its
    "plain", binary cross-entropy alone. `squared=False, smooth=1, count_ignored_as_negative=True`
    is the released code's formula.

    Args:
        focal_weight, dice_weight: factors of the two terms.
        loss_name: key of the sum in the log of a head that does not ask for `terms`.
        fast: False computes Eq. 4 and 5 as they are written, by operations that torch can
            differentiate any number of times: more time and memory.
        Others: see `mask_losses`.
    """

    def __init__(
        self,
        focal_weight: float = 100.0,
        dice_weight: float = 1.0,
        alpha: float = 0.25,
        gamma: float = 2.0,
        squared: bool = True,
        smooth: float = 0.0,
        count_ignored_as_negative: bool = False,
        loss_name: str = 'loss_mask',
        fast: bool = True,
    ) -> None:
        super().__init__()
        if min(focal_weight, dice_weight) < 0 or focal_weight == dice_weight == 0:
            raise ValueError(
                f'focal_weight is {focal_weight} and dice_weight {dice_weight}; give '
                'weights of at least 0, one of them more.'
            )
        self.focal_weight = focal_weight
        self.dice_weight = dice_weight
        self.options = dict(
            alpha=alpha,
            gamma=gamma,
            squared=squared,
            smooth=smooth,
            count_ignored_as_negative=count_ignored_as_negative,
        )
        self.loss_name = loss_name
        self.losses = fast_mask_losses if fast else mask_losses

    def terms(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = 255
    ) -> dict[str, Tensor]:
        """pred (B, C, h, w) logits, target (B, H, W) int64 -> weighted scalars by name, and
        `acc_seg`, the percentage of labelled pixels whose largest logit is right."""
        if weight is not None:
            raise ValueError(
                f'{type(self).__name__} takes no pixel weights; remove `sampler` from the head.'
            )
        with torch.autocast(pred.device.type, enabled=False):
            focal, dice, size, right = self.losses(
                pred.float(), target, ignore_index, **self.options
            )
            present = size > 0
            count = count_masks(present)
            terms = dict(
                loss_focal=self.focal_weight * focal.sum() / count,
                loss_dice=self.dice_weight * (dice * present).sum() / count,
            )
        weights = dict(loss_focal=self.focal_weight, loss_dice=self.dice_weight)
        return dict(
            acc_seg=100 * right / size.sum().clamp(min=1),
            **{name: terms[name] for name, factor in weights.items() if factor},
        )

    def forward(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = 255
    ) -> Tensor:
        """The sum of the losses among `terms`."""
        terms = self.terms(pred, target, weight, ignore_index)
        return sum(value for name, value in terms.items() if name.startswith('loss_'))
