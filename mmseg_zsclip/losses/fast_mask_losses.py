"""`mask_losses` for many classes: strip by strip, and with the gradient written out.

Both losses need the probability q of the wrong answer alone: the logit's sign is flipped at the
pixel's own class. So no one-hot mask is built, and one sigmoid serves both. Coarse logits are
resized here, so that those of every class at every pixel are never kept.
"""

from collections.abc import Iterator
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..interpolation import interpolation, row_strips

# Logits at a time on a CPU: they and their temporaries stay in its cache.
PIECE = 2**19


class Strips:
    """Logits (B, C, h, w) resized bilinearly to (H, W), a few rows at a time:
    whole images on a GPU.

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
        self.parts = [
            (rows, lines, down[rows, lines].to(logits)) for rows, lines in row_strips(down, count)
        ]

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
    """Logits (r, C, W) of being wrong: in place,
    the sign changed at the own class of a known pixel."""
    return strip.scatter_(1, own, strip.gather(1, own) * (1 - 2 * known))


class MaskSums(torch.autograd.Function):
    """`mask_losses` with its gradient written out, so that nothing but the logits is kept."""

    @staticmethod
    def forward(
        ctx,
        logits: Tensor,
        own: Tensor,
        known: Tensor,
        counted: Tensor,
        alpha: float,
        gamma: float,
        power: int,
        smooth: float,
    ) -> tuple[Tensor, ...]:
        """logits (B, C, h, w); own class (B, H, 1, W), 0 where unknown; known, counted
        (B, H, 1, W), 0 or 1.

        Returns:
            focal, dice and pixels of the class, (B, C); known pixels whose largest logit is right.
        """
        focal, area, overlap, size = logits.new_zeros(4, *logits.shape[:2])
        right = logits.new_zeros(())
        for i, rows, _, _, strip in Strips(logits, (own.shape[1], own.shape[3])):
            label, is_known, counts = (x[i, rows] for x in (own, known, counted))
            right += ((strip.gather(1, label) >= strip.amax(1, keepdim=True)) * is_known).sum()
            wrong = flip_own(strip, label, is_known)
            q = wrong.sigmoid()
            loss = F.softplus(wrong).mul_(q**gamma)  # Eq. 4: -log of the right answer, weighed by q
            q_own, loss_own = (x.gather(1, label) * is_known for x in (q, loss))
            p_own = is_known - q_own
            # as if every class of a pixel were wrong, and then the difference at its own
            focal[i] += (1 - alpha) * over_pixels(loss, counts)
            area[i] += over_pixels(q**power, counts)
            for sums, value in (
                (focal, (2 * alpha - 1) * loss_own),
                (overlap, 2 * p_own),
                (area, p_own**power - q_own**power + is_known),
                (size, is_known),
            ):
                sums[i].scatter_add_(0, label.flatten(), value.flatten())
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
            label, is_known, counts = (x[i, rows] for x in (own, known, counted))
            wrong = flip_own(strip, label, is_known)
            q = wrong.sigmoid()
            right = 1 - q
            # derivative of softplus(wrong) q^gamma by `wrong`, which is the logit of other classes
            slope = F.softplus(wrong).mul_(right).mul_(gamma).add_(q).mul_(q**gamma)
            part = (q**power).mul_(right).mul_(to_area[i, :, None])
            part.addcmul_(slope, (1 - alpha) * to_focal[i, :, None])
            # At the pixel's own class the sign was changed and p is 1 - q.
            p_own, q_own, slope_own = (x.gather(1, label) for x in (right, q, slope))
            area_own, overlap_own, focal_own = (x[i][label] for x in (to_area, to_own, to_focal))
            at_own = (
                area_own * p_own**power + overlap_own * p_own
            ) * q_own - alpha * focal_own * slope_own
            part.scatter_(1, label, at_own.where(is_known > 0, part.gather(1, label))).mul_(counts)
            grad[i, lines].flatten(1).addmm_(weights.T, part.flatten(1))
        return strips.to_logits(grad), *[None] * 7


def fast_mask_losses(
    logits: Tensor,
    labels: Tensor,
    ignore_index: int = 255,
    alpha: float = 0.25,
    gamma: float = 2.0,
    squared: bool = True,
    smooth: float = 0.0,
    count_ignored_as_negative: bool = False,
) -> tuple[Tensor, ...]:
    """What `mask_losses` returns, differentiable once."""
    labels = labels[:, :, None]
    known = labels != ignore_index
    own = labels.where(known, 0)
    known = known.to(logits.dtype)
    counted = torch.ones_like(known) if count_ignored_as_negative else known
    return MaskSums.apply(logits, own, known, counted, alpha, gamma, 2 if squared else 1, smooth)
