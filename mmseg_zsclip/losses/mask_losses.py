"""Non-exclusive mask losses: each class is its own yes-or-no question. Source: ZegCLIP, section 3.4.

Plain function first; the registered class takes mmseg's loss arguments, so it fits any head.
"""
import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn

from ..registry import MODELS


def mask_losses(logits: Tensor, labels: Tensor, ignore_index: int = 255, alpha: float = 0.25,
                gamma: float = 2.0, squared: bool = True, smooth: float = 0.0,
                count_ignored_as_negative: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Focal and dice loss of every class of every image (ZegCLIP, Eq. 4 and 5).

    Both need the probability q of the wrong answer alone: the logit's sign is flipped at the pixel's
    own class. So no one-hot mask is built, and one sigmoid serves both.

    Args:
        logits: (B, C, H, W) before the sigmoid.
        labels: (B, H, W) int64, values 0..C-1 or `ignore_index`.
        alpha, gamma: of the focal loss, balanced as in RetinaNet: positives weigh alpha, negatives
            1 - alpha. `alpha=0.5, gamma=0` is half the binary cross-entropy.
        squared: False leaves out the squares of the denominator of dice, as the released code does.
        smooth: added above and below in dice; the released code uses 1.
        count_ignored_as_negative: the released code's way, in which an ignored pixel is a negative
            of every class; by default it takes no part.

    Returns:
        focal (B, C), a mean over the pixels of an image; dice (B, C); present (B, C) bool, the
        classes that an image has.
    """
    known = (labels != ignore_index)[:, None]
    own = labels[:, None].where(known, 0)
    counted = torch.ones_like(known) if count_ignored_as_negative else known
    counted, labelled = counted.to(logits.dtype), known.to(logits.dtype)

    def over_pixels(x: Tensor) -> Tensor:
        return (x * counted).sum((2, 3))

    def over_own_pixels(x: Tensor) -> Tensor:
        zeros = x.new_zeros(logits.shape[:2])
        return zeros.scatter_add(1, own.flatten(1), (x * labelled).flatten(1))

    true = logits.gather(1, own)
    wrong = logits.scatter(1, own, true.where(~known, -true))
    q = wrong.sigmoid()
    size = over_own_pixels(torch.ones_like(true))

    loss = q**gamma * F.softplus(wrong)  # Eq. 4: -log of the right answer, weighed by the wrong one
    focal = (1 - alpha) * over_pixels(loss) + (2 * alpha - 1) * over_own_pixels(loss.gather(1, own))
    focal = focal / over_pixels(torch.ones_like(true)).clamp(min=1)

    p = true.sigmoid()
    power = 2 if squared else 1
    area = over_pixels(q**power) + over_own_pixels(p**power - q.gather(1, own)**power)
    overlap = 2 * over_own_pixels(p) + smooth
    area = (area + size + smooth).clamp(min=torch.finfo(area.dtype).eps)
    return focal, 1 - overlap / area, size > 0  # Eq. 5


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
        Others: see `mask_losses`.
    """

    def __init__(self, focal_weight: float = 100.0, dice_weight: float = 1.0, alpha: float = 0.25,
                 gamma: float = 2.0, squared: bool = True, smooth: float = 0.0,
                 count_ignored_as_negative: bool = False, loss_name: str = 'loss_mask') -> None:
        super().__init__()
        if min(focal_weight, dice_weight) < 0 or focal_weight == dice_weight == 0:
            raise ValueError(f'focal_weight is {focal_weight} and dice_weight {dice_weight}; give '
                             'weights of at least 0, one of them more.')
        self.focal_weight = focal_weight
        self.dice_weight = dice_weight
        self.options = dict(alpha=alpha, gamma=gamma, squared=squared, smooth=smooth,
                            count_ignored_as_negative=count_ignored_as_negative)
        self.loss_name = loss_name

    def terms(self, pred: Tensor, target: Tensor, weight: Tensor | None = None,
              ignore_index: int = 255) -> dict[str, Tensor]:
        """pred (B, C, H, W) logits, target (B, H, W) int64 -> weighted scalars by name."""
        if weight is not None:
            raise ValueError(f'{type(self).__name__} takes no pixel weights; remove `sampler` from '
                             'the head.')
        with torch.autocast(pred.device.type, enabled=False):
            focal, dice, present = mask_losses(pred.float(), target, ignore_index, **self.options)
            count = count_masks(present)
            terms = dict(loss_focal=self.focal_weight * focal.sum() / count,
                         loss_dice=self.dice_weight * (dice * present).sum() / count)
        return {name: terms[name] for name, factor in (
            ('loss_focal', self.focal_weight), ('loss_dice', self.dice_weight)) if factor}

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor | None = None,
                ignore_index: int = 255) -> Tensor:
        """The sum of `terms`."""
        return sum(self.terms(pred, target, weight, ignore_index).values())
