"""Non-exclusive mask losses: each class is its own yes-or-no question. Source: ZegCLIP, section 3.4.

Plain function first; the registered class takes mmseg's loss arguments, so it fits any head.
"""
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..registry import MODELS

# Logits at a time on a CPU: they and their temporaries stay in its cache.
PIECE = 2**17


def pieces(logits: Tensor) -> Iterator[tuple[int, slice]]:
    """(image, pixels) that cover logits (B, C, N): whole images on a GPU."""
    images, classes, pixels = logits.shape
    step = pixels if logits.is_cuda else max(PIECE // classes, 1)
    return ((i, slice(start, start + step))
            for i in range(images) for start in range(0, pixels, step))


def flip_own(z: Tensor, own: Tensor, known: Tensor) -> Tensor:
    """Logits (C, N), their sign changed at the own class of each known pixel: those of being wrong."""
    return z.scatter(0, own, z.gather(0, own) * (1 - 2 * known))


class MaskSums(torch.autograd.Function):
    """`mask_losses` with its gradient written out, so that nothing but the logits is kept."""

    @staticmethod
    def forward(ctx, logits: Tensor, own: Tensor, known: Tensor, counted: Tensor, alpha: float,
                gamma: float, power: int, smooth: float) -> tuple[Tensor, Tensor]:
        """logits (B, C, N); own class (B, 1, N), 0 where unknown; known, counted (B, 1, N), 0 or 1.

        Returns:
            focal and dice, (B, C).
        """
        focal, area, overlap = logits.new_zeros(3, *logits.shape[:2])
        for i, at in pieces(logits):
            z, c, k, n = (x[i, :, at] for x in (logits, own, known, counted))
            wrong = flip_own(z, c, k)
            q = wrong.sigmoid()
            loss = q**gamma * F.softplus(wrong)  # Eq. 4: -log of the right answer, weighed by q
            q_own, loss_own = q.gather(0, c) * k, loss.gather(0, c) * k
            p_own = k - q_own
            focal[i] += (1 - alpha) * loss @ n[0]
            focal[i].scatter_add_(0, c[0], (2 * alpha - 1) * loss_own[0])
            area[i] += q**power @ n[0]
            area[i].scatter_add_(0, c[0], (p_own**power - q_own**power + k)[0])
            overlap[i].scatter_add_(0, c[0], 2 * p_own[0])
        pixels = counted.sum(2).clamp(min=1)
        area = (area + smooth).clamp(min=torch.finfo(area.dtype).eps)
        overlap += smooth
        ctx.save_for_backward(logits, own, known, counted, pixels, area, overlap)
        ctx.options = alpha, gamma, power
        return focal / pixels, 1 - overlap / area  # Eq. 5

    @staticmethod
    @once_differentiable
    def backward(ctx, to_focal: Tensor, to_dice: Tensor) -> tuple[Tensor | None, ...]:
        logits, own, known, counted, pixels, area, overlap = ctx.saved_tensors
        alpha, gamma, power = ctx.options
        to_focal = (to_focal / pixels)[..., None]
        to_area = (to_dice * overlap / area**2 * power)[..., None]  # times p^power (1 - p)
        to_own = (-2 * to_dice / area)[..., None]  # times p (1 - p) where the class is the pixel's
        grad = torch.empty_like(logits)
        for i, at in pieces(logits):
            z, c, k, n = (x[i, :, at] for x in (logits, own, known, counted))
            wrong = flip_own(z, c, k)
            q = wrong.sigmoid()
            right = 1 - q
            focal = q**gamma * (gamma * right * F.softplus(wrong) + q)
            others = (1 - alpha) * to_focal[i] * focal + to_area[i] * q**power * right
            # At the pixel's own class the sign was changed and p is 1 - q.
            p, q, focal = (x.gather(0, c) for x in (right, q, focal))
            a, b, f = (x[i].expand_as(z).gather(0, c) for x in (to_area, to_own, to_focal))
            mine = (a * p**power + b * p) * q - alpha * f * focal
            others.scatter_(0, c, mine.where(k > 0, others.gather(0, c)))
            torch.mul(others, n, out=grad[i, :, at])
        return grad, *[None] * 7


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
    labels = labels.flatten(1)[:, None]
    known = labels != ignore_index
    own = labels.where(known, 0)
    known = known.to(logits.dtype)
    counted = torch.ones_like(known) if count_ignored_as_negative else known
    focal, dice = MaskSums.apply(
        logits.flatten(2), own, known, counted, alpha, gamma, 2 if squared else 1, smooth)
    size = torch.zeros_like(focal).scatter_add_(1, own[:, 0], known[:, 0])
    return focal, dice, size > 0


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
