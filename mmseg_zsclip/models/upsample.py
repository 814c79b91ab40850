"""The best class of every pixel from coarse scores,
without the scores of every class at every pixel."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..interpolation import interpolation, row_strips

STRIP = 2**18  # scores at a time, at least 8 rows of them
FAR = 1e30  # stands for infinity, of which no part can be taken


def contenders(scores: Tensor, support: tuple[int, int]) -> Tensor:
    """Classes that can be the best somewhere between neighbouring positions.

    An interpolated score lies between the least and the largest of its neighbours. So in a window
    the best class is nowhere below the largest of all classes' least scores, and a class whose
    largest score is lower cannot be it.

    Args:
        scores: (B, C, h, w).
        support: (high, wide) windows of positions that one interpolated score is made from.

    Returns:
        (C, h - high + 1) bool: for each row of windows, in any image.
    """
    most = F.max_pool2d(scores, support, 1)
    least = -F.max_pool2d(-scores, support, 1)
    return (most >= least.amax(dim=1, keepdim=True)).any(dim=3).any(dim=0)


def best_classes(
    scores: Tensor, sizes: Sequence[Sequence[int]], align_corners: bool = False
) -> Tensor:
    """The argmax over classes after bilinear interpolation, strip by strip.

    Args:
        scores: (B, C, h, w). A class is nowhere the best where a position that counts has -inf, and
            is the best where one has +inf; float32 under autocast too.
        sizes: (H, W) of every interpolation in turn; the last is that of the labels.

    Returns:
        (B, H, W) int64.

    Raises:
        ValueError: NaN among the scores.
    """
    with torch.autocast(scores.device.type, enabled=False):
        return _best_classes(bounded(scores), sizes, align_corners)


def bounded(scores: Tensor) -> Tensor:
    """Scores in float32, of which means can be taken: `FAR` in the place of infinity.

    Raises:
        ValueError: NaN among the scores.
    """
    if scores.isnan().any():
        raise ValueError(
            f'{int(scores.isnan().sum())} of {scores.numel()} scores are NaN, of which no '
            'class is the best. Look at the image and at the weights.'
        )
    return scores.float().clamp(-FAR, FAR)


def _best_classes(scores: Tensor, sizes: Sequence[Sequence[int]], align_corners: bool) -> Tensor:
    batch, _, height, _ = scores.shape
    down, across = (
        interpolation([size[side] for size in (scores.shape[-2:], *sizes)], align_corners).to(
            scores.device
        )
        for side in (0, 1)
    )
    high, wide = (int((matrix != 0).sum(dim=1).max()) for matrix in (down, across))
    may_win = contenders(scores, (high, wide))
    lines = (scores @ across.T).permute(2, 1, 0, 3)  # (h, C, B, W)
    labels = []
    for rows, used in row_strips(down, max(STRIP // (batch * scores.shape[1] * len(across)), 8)):
        first, end = min(used.start, height - high), used.stop
        classes = may_win[:, first : max(end - high, first) + 1].any(dim=1).nonzero()[:, 0]
        part = lines[first:end, classes]
        strip = (down[rows, first:end] @ part.flatten(1)).unflatten(1, part.shape[1:])
        labels.append(classes[strip.argmax(dim=1)])
    return torch.cat(labels).transpose(0, 1)
