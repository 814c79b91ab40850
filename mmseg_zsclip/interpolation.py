"""Linear interpolation as a matrix, and the strips of its rows: a map is resized piece by piece."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor


def interpolation(sizes: Sequence[int], align_corners: bool = False) -> Tensor:
    """Linear interpolation from the first size over those between to the last: (last, first)."""
    steps = (
        F.interpolate(torch.eye(a)[None], b, mode='linear', align_corners=align_corners)[0]
        for a, b in pairwise(sizes)
    )
    return reduce(torch.matmul, steps).T


def row_strips(down: Tensor, count: int) -> Iterator[tuple[slice, slice]]:
    """Rows of an interpolation (H, h), `count` at a time,
    and the lines of h that they are made of."""
    for start in range(0, len(down), count):
        rows = slice(start, min(start + count, len(down)))
        yield rows, lines_used(down[rows])


def lines_used(down: Tensor) -> slice:
    """The lines of h that rows of an interpolation (n, h) are made of."""
    used = down.any(dim=0).nonzero()[:, 0].tolist()
    return slice(used[0], used[-1] + 1)
