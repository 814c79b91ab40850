"""Non-exclusive mask losses: each class is its own yes-or-no question. Source: ZegCLIP, section 3.4.

Plain function first; the registered class takes mmseg's loss arguments, so it fits any head.
"""
from collections.abc import Iterator
from itertools import product

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..registry import MODELS
from ..upsample import interpolation, row_strips

# Logits at a time on a CPU: they and their temporaries stay in its cache.
PIECE = 2**19


class Strips:
    """Logits (B, C, h, w) resized bilinearly to (H, W), a few rows at a time: whole images on a GPU.

    Iterates over (image, rows, lines, weights, strip): `strip` (r, C, W) are the image's `rows`, a
    slice of H, made of its `lines`, a slice of h, by `weights`.
    """

    def __init__(self, logits: Tensor, size: tuple[int, int]) -> None:
        down, across = (interpolation(sides) for sides in zip(logits.shape[2:], size, strict=True))
        # None: as wide as the labels already, as in a head that resizes by itself
        self.across = None if across.shape[0] == across.shape[1] else across.to(logits)
        self.lines = logits.permute(0, 2, 1, 3)  # (B, h, C, W)
        if self.across is not None:
            self.lines = self.lines @ self.across.T
        count = size[0] if logits.is_cuda else max(PIECE // self.lines[0, 0].numel(), 1)
        self.parts = [(rows, lines, down[rows, lines].to(logits))
                      for rows, lines in row_strips(down, count)]

    def to_logits(self, grad: Tensor) -> Tensor:
        """Gradient of the lines (B, h, C, W) -> of the logits (B, C, h, w)."""
        return (grad if self.across is None else grad @ self.across).permute(0, 2, 1, 3)

    def __iter__(self) -> Iterator[tuple[int, slice, slice, Tensor, Tensor]]:
        for image, (rows, lines, weights) in product(range(len(self.lines)), self.parts):
            part = self.lines[image, lines]
            strip = (weights @ part.flatten(1)).unflatten(1, part.shape[1:])
            yield image, rows, lines, weights, strip


def over_pixels(strip: Tensor, counted: Tensor) -> Tensor:
    """Sums of (r, C, W) over the pixels (r, 1, W) that count: (C,)."""
    return (strip @ counted.transpose(1, 2)).sum(0)[:, 0]


def flip_own(strip: Tensor, own: Tensor, known: Tensor) -> Tensor:
    """Logits (r, C, W) of being wrong: in place, the sign changed at the own class of a known pixel."""
    return strip.scatter_(1, own, strip.gather(1, own) * (1 - 2 * known))


class MaskSums(torch.autograd.Function):
    """`mask_losses` with its gradient written out, so that nothing but the logits is kept."""

    @staticmethod
    def forward(ctx, logits: Tensor, own: Tensor, known: Tensor, counted: Tensor, alpha: float,
                gamma: float, power: int, smooth: float) -> tuple[Tensor, ...]:
        """logits (B, C, h, w); own class (B, H, 1, W), 0 where unknown; known, counted
        (B, H, 1, W), 0 or 1.

        Returns:
            focal, dice and pixels of the class, (B, C); known pixels whose largest logit is right.
        """
        focal, area, overlap, size = logits.new_zeros(4, *logits.shape[:2])
        right = logits.new_zeros(())
        for i, rows, _, _, strip in Strips(logits, (own.shape[1], own.shape[3])):
            c, k, n = (x[i, rows] for x in (own, known, counted))
            right += ((strip.gather(1, c) >= strip.amax(1, keepdim=True)) * k).sum()
            wrong = flip_own(strip, c, k)
            q = wrong.sigmoid()
            loss = F.softplus(wrong).mul_(q**gamma)  # Eq. 4: -log of the right answer, weighed by q
            q_own, loss_own = q.gather(1, c) * k, loss.gather(1, c) * k
            p_own = k - q_own
            focal[i] += (1 - alpha) * over_pixels(loss, n)
            area[i] += over_pixels(q**power, n)
            for sums, value in ((focal, (2 * alpha - 1) * loss_own), (overlap, 2 * p_own),
                                (area, p_own**power - q_own**power + k), (size, k)):
                sums[i].scatter_add_(0, c.flatten(), value.flatten())
        count = counted.flatten(1).sum(1, keepdim=True).clamp(min=1)
        area = (area + smooth).clamp(min=torch.finfo(area.dtype).eps)
        overlap += smooth
        ctx.save_for_backward(logits, own, known, counted, count, area, overlap)
        ctx.options = alpha, gamma, power
        ctx.mark_non_differentiable(size, right)
        return focal / count, 1 - overlap / area, size, right  # Eq. 5

    @staticmethod
    @once_differentiable
    def backward(ctx, to_focal: Tensor, to_dice: Tensor, *_) -> tuple[Tensor | None, ...]:
        logits, own, known, counted, count, area, overlap = ctx.saved_tensors
        alpha, gamma, power = ctx.options
        strips = Strips(logits, (own.shape[1], own.shape[3]))
        to_focal = to_focal / count
        to_area = to_dice * overlap / area**2 * power  # times p^power (1 - p)
        to_own = -2 * to_dice / area  # times p (1 - p) where the class is the pixel's
        grad = logits.new_zeros(strips.lines.shape)
        for i, rows, lines, weights, strip in strips:
            c, k, n = (x[i, rows] for x in (own, known, counted))
            wrong = flip_own(strip, c, k)
            q = wrong.sigmoid()
            right = 1 - q
            focal = F.softplus(wrong).mul_(right).mul_(gamma).add_(q).mul_(q**gamma)
            others = (q**power).mul_(right).mul_(to_area[i, :, None])
            others.addcmul_(focal, (1 - alpha) * to_focal[i, :, None])
            # At the pixel's own class the sign was changed and p is 1 - q.
            p, q, focal = (x.gather(1, c) for x in (right, q, focal))
            a, b, f = (x[i][c] for x in (to_area, to_own, to_focal))
            mine = (a * p**power + b * p) * q - alpha * f * focal
            others.scatter_(1, c, mine.where(k > 0, others.gather(1, c))).mul_(n)
            grad[i, lines].flatten(1).addmm_(weights.T, others.flatten(1))
        return strips.to_logits(grad), *[None] * 7


def mask_losses(logits: Tensor, labels: Tensor, ignore_index: int = 255, alpha: float = 0.25,
                gamma: float = 2.0, squared: bool = True, smooth: float = 0.0,
                count_ignored_as_negative: bool = False) -> tuple[Tensor, ...]:
    """Focal and dice loss of every class of every image (ZegCLIP, Eq. 4 and 5).

    Both need the probability q of the wrong answer alone: the logit's sign is flipped at the pixel's
    own class. So no one-hot mask is built, and one sigmoid serves both. Coarse logits are resized
    here, so that those of every class at every pixel are never kept.

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
    labels = labels[:, :, None]
    known = labels != ignore_index
    own = labels.where(known, 0)
    known = known.to(logits.dtype)
    counted = torch.ones_like(known) if count_ignored_as_negative else known
    return MaskSums.apply(
        logits, own, known, counted, alpha, gamma, 2 if squared else 1, smooth)


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
        """pred (B, C, h, w) logits, target (B, H, W) int64 -> weighted scalars by name, and
        `acc_seg`, the percentage of labelled pixels whose largest logit is right."""
        if weight is not None:
            raise ValueError(f'{type(self).__name__} takes no pixel weights; remove `sampler` from '
                             'the head.')
        with torch.autocast(pred.device.type, enabled=False):
            focal, dice, size, right = mask_losses(
                pred.float(), target, ignore_index, **self.options)
            present = size > 0
            count = count_masks(present)
            terms = dict(loss_focal=self.focal_weight * focal.sum() / count,
                         loss_dice=self.dice_weight * (dice * present).sum() / count)
        weights = dict(loss_focal=self.focal_weight, loss_dice=self.dice_weight)
        return dict(acc_seg=100 * right / size.sum().clamp(min=1),
                    **{name: terms[name] for name, factor in weights.items() if factor})

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor | None = None,
                ignore_index: int = 255) -> Tensor:
        """The sum of the losses among `terms`."""
        terms = self.terms(pred, target, weight, ignore_index)
        return sum(value for name, value in terms.items() if name.startswith('loss_'))
