"""Sliding windows: where they lie, and the mean of their scores, added as they come."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor


def window_starts(size: int, crop: int, stride: int) -> list[int]:
    """First pixels of windows of `crop` that cover `size`; the last one ends at the border."""
    if size <= crop:
        return [0]
    return [*range(0, size - crop, stride), size - crop]


def window_corners(
    size: Sequence[int], crop: Sequence[int], stride: Sequence[int]
) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """(h, w) of the windows, no larger than an image of `size` (H, W), and their (top, left)."""
    high, wide = map(min, zip(crop, size, strict=True))
    return (high, wide), [
        (y, x)
        for y in window_starts(size[0], high, stride[0])
        for x in window_starts(size[1], wide, stride[1])
    ]


def check_windows(
    crop: Sequence[int] | None, stride: Sequence[int] | None, batch: int | None = None
) -> None:
    """Whether windows of these sizes are legal.

    Raises:
        ValueError: a size that is missing, no pair of positive integers, or a stride above the
            crop; a batch below 1.
    """
    for name, value in (('crop_size', crop), ('stride', stride)):
        pair = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
        if not pair or not all(isinstance(n, int) and n > 0 for n in value):
            missing = 'is missing' if value is None else f'is {value!r}'
            raise ValueError(
                f"test_cfg.{name} {missing}; mode='slide' needs (height, width) in "
                f'positive whole pixels, e.g. {name}=(512, 512). Set it in '
                "model.test_cfg, or use mode='whole'."
            )
    if any(s > c for s, c in zip(stride, crop, strict=True)):
        raise ValueError(
            f'stride {tuple(stride)} is larger than crop_size {tuple(crop)}: '
            'pixels between the windows would have no score. Use stride <= crop.'
        )
    if batch is not None and (not isinstance(batch, int) or batch < 1):
        raise ValueError(
            f'test_cfg.window_batch is {batch!r}; legal values: 1 or more windows a '
            'forward pass (16 if left out).'
        )


def check_test_cfg(cfg: Mapping) -> None:
    """Whether a `test_cfg` says how to test, before anything is run.

    Raises:
        ValueError: an unknown mode, or `mode='slide'` with windows that are not legal.
    """
    mode = cfg.get('mode', 'whole')
    if mode not in ('whole', 'slide'):
        raise ValueError(
            f"test_cfg.mode is {mode!r}; legal values: 'whole', or 'slide' with "
            'crop_size and stride.'
        )
    if mode == 'slide':
        check_windows(cfg.get('crop_size'), cfg.get('stride'), cfg.get('window_batch'))


def cut_windows(
    img: Tensor, size: tuple[int, int], corners: Sequence[tuple[int, int]], batch: int
) -> Iterator[tuple[Tensor, list[tuple[int, int, int]]]]:
    """Windows (n, 3, h, w) of images (B, 3, H, W), at most `batch` at a time, and where each was:
    (image, top, left). The images of a corner follow one another."""
    high, wide = size
    places = [(i, y, x) for y, x in corners for i in range(len(img))]
    for start in range(0, len(places), batch):
        some = places[start : start + batch]
        yield torch.stack([img[i, :, y : y + high, x : x + wide] for i, y, x in some]), some


def mean_over_windows(
    img: Tensor,
    crop: Sequence[int],
    stride: Sequence[int],
    score: Callable[[Tensor], Tensor],
    batch: int | None = None,
    finish: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Mean at every pixel of the scores of the windows that hold it.

    Windows are added as they come: memory is that of the result and of what `score` and `finish`
    return, once.

    Args:
        img: (B, 3, H, W); windows larger than it shrink to it.
        crop, stride: (h, w) in pixels.
        score: windows (n, 3, h, w) -> (n, C, h, w).
        batch: windows a call; all at once if left out.
        finish: with it, `score` may return coarse scores (n, C, h', w'), and those of one window
            at a time, (1, C, h', w'), are finished to (1, C, h, w).

    Returns:
        (B, C, H, W).

    Raises:
        ValueError: sizes that are no windows, see `check_windows`.
    """
    check_windows(crop, stride, batch)
    height, width = img.shape[2:]
    (high, wide), corners = window_corners((height, width), crop, stride)
    total = None
    for windows, places in cut_windows(
        img, (high, wide), corners, batch or len(corners) * len(img)
    ):
        scores = score(windows)
        for k, (i, y, x) in enumerate(places):
            one = scores[k : k + 1] if finish is None else finish(scores[k : k + 1])
            if total is None:
                total = one.new_zeros(len(img), one.shape[1], height, width)
            total[i, :, y : y + high, x : x + wide] += one[0]
        del windows, scores, one  # before the next ones are made
    count = total.new_zeros(height, width)
    for y, x in corners:
        count[y : y + high, x : x + wide] += 1
    return total.div_(count)
