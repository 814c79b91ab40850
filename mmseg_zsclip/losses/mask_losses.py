"""Non-exclusive mask losses: each class is its own yes-or-no question. Source: ZegCLIP, section 3.4.

Plain functions first; the registered classes take mmseg's loss arguments, so they fit any head.
"""
import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn

from ..registry import MODELS


def one_hot_masks(labels: Tensor, num_classes: int, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Label map -> binary masks and the pixels that have a label.

    Args:
        labels: (B, H, W) int64, values 0..num_classes-1 or `ignore_index`.

    Returns:
        masks: (B, C, H, W) float32, 1 where the pixel is of the class; valid: (B, H, W) bool.
    """
    valid = labels != ignore_index
    classes = torch.arange(num_classes, device=labels.device).view(1, -1, 1, 1)
    return (labels[:, None] == classes).float(), valid


def sigmoid_focal_loss(logits: Tensor, masks: Tensor, valid: Tensor, alpha: float = 0.25,
                       gamma: float = 2.0) -> Tensor:
    """ZegCLIP, Eq. 4, balanced by `alpha` as in RetinaNet.

    Args:
        logits: (B, C, H, W) before the sigmoid.
        masks: (B, C, H, W), 0 or 1.
        valid: (B, H, W) bool; other pixels are left out of the mean.
        alpha: weight of positives; negatives weigh 1 - alpha.

    Returns:
        (B, C), mean over the valid pixels of each image.
    """
    ce = F.binary_cross_entropy_with_logits(logits, masks, reduction='none')
    p = logits.sigmoid()
    missed = p + masks - 2 * p * masks  # 1 - p of the true answer, as masks are 0 or 1
    balance = alpha * masks + (1 - alpha) * (1 - masks)
    loss = ce * missed**gamma * balance  # Eq. 4
    keep = valid[:, None].float()
    return (loss * keep).sum((2, 3)) / keep.sum((2, 3)).clamp(min=1)


def dice_loss(logits: Tensor, masks: Tensor, valid: Tensor, squared: bool = True,
              smooth: float = 0.0) -> Tensor:
    """ZegCLIP, Eq. 5: 1 - 2 sum(y y^) / (sum(y^2) + sum(y^2)).

    Args:
        logits, masks: (B, C, H, W); valid: (B, H, W) bool, other pixels count for nothing.
        squared: False leaves out the squares of the denominator, as the released code does.
        smooth: added above and below; the released code uses 1.

    Returns:
        (B, C).
    """
    keep = valid[:, None].float()
    p = (logits.sigmoid() * keep).flatten(2)
    t = (masks * keep).flatten(2)
    area = (p**2 + t**2) if squared else (p + t)
    overlap = 2 * (p * t).sum(-1) + smooth
    return 1 - overlap / (area.sum(-1) + smooth).clamp(min=torch.finfo(p.dtype).eps)  # Eq. 5


def count_masks(present: Tensor) -> Tensor:
    """Number of (image, class) masks per process, averaged over processes, at least 1."""
    count = present.sum().float()
    all_reduce(count, op='mean')
    return count.clamp(min=1)


class _MaskLoss(nn.Module):
    """What the mask losses share: mmseg's call, ignored pixels, the weight and the name.

    Args:
        loss_weight: factor of the loss.
        count_ignored_as_negative: the released code's way, in which an ignored pixel is a negative
            of every class; by default it takes no part.
        loss_name: key of the loss in the log; must start with `loss_` to be optimised.
    """

    def __init__(self, loss_weight: float, count_ignored_as_negative: bool, loss_name: str):
        super().__init__()
        self.loss_weight = loss_weight
        self.count_ignored_as_negative = count_ignored_as_negative
        self.loss_name = loss_name

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor | None = None,
                ignore_index: int = 255) -> Tensor:
        """pred (B, C, H, W) logits, target (B, H, W) int64 -> scalar."""
        if weight is not None:
            raise ValueError(f'{type(self).__name__} takes no pixel weights; remove `sampler` from '
                             'the head.')
        with torch.autocast(pred.device.type, enabled=False):
            pred = pred.float()
            masks, valid = one_hot_masks(target, pred.shape[1], ignore_index)
            present = masks.flatten(2).any(-1)
            if self.count_ignored_as_negative:
                valid = torch.ones_like(valid)
            return self.loss_weight * self.reduce(pred, masks, valid, present)

    def reduce(self, pred: Tensor, masks: Tensor, valid: Tensor, present: Tensor) -> Tensor:
        raise NotImplementedError


@MODELS.register_module()
class MaskFocalLoss(_MaskLoss):
    """Sigmoid focal loss of every class in every image, per mask present (ZegCLIP, Eq. 4 and 6)."""

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, loss_weight: float = 100.0,
                 count_ignored_as_negative: bool = False, loss_name: str = 'loss_focal'):
        super().__init__(loss_weight, count_ignored_as_negative, loss_name)
        self.alpha = alpha
        self.gamma = gamma

    def reduce(self, pred: Tensor, masks: Tensor, valid: Tensor, present: Tensor) -> Tensor:
        loss = sigmoid_focal_loss(pred, masks, valid, self.alpha, self.gamma)
        return loss.sum() / count_masks(present)


@MODELS.register_module()
class MaskDiceLoss(_MaskLoss):
    """Dice loss of the classes that an image has, per mask present (ZegCLIP, Eq. 5 and 6).

    `squared=False, smooth=1` is the released code's formula.
    """

    def __init__(self, squared: bool = True, smooth: float = 0.0, loss_weight: float = 1.0,
                 count_ignored_as_negative: bool = False, loss_name: str = 'loss_dice'):
        super().__init__(loss_weight, count_ignored_as_negative, loss_name)
        self.squared = squared
        self.smooth = smooth

    def reduce(self, pred: Tensor, masks: Tensor, valid: Tensor, present: Tensor) -> Tensor:
        loss = dice_loss(pred, masks, valid, self.squared, self.smooth)
        return (loss * present).sum() / count_masks(present)
