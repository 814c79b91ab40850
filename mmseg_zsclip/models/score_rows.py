"""Scores of a photo a few rows at a time, so that labels alone never need those of every pixel."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ..interpolation import interpolation, lines_used
from .upsample import best_classes

STRIP = 2**22  # scores at a time, at least 8 rows of them


def kept_part(meta: Mapping, size: Sequence[int]) -> tuple[slice, slice, int | None]:
    """Of an image (H, W) that the model saw: its rows and columns that are no padding, and the
    dimension of (C, H, W) that was flipped, if any, by a sample's metadata as mmseg's."""
    left, right, top, bottom = meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0)))
    flip = dict(horizontal=2, vertical=1)[meta['flip_direction']] if meta.get('flip') else None
    return slice(top, size[0] - bottom), slice(left, size[1] - right), flip


@dataclass(frozen=True)
class ScoreRows:
    """Scores (C, H, W) of a photo that are made from coarse ones where they are asked for.

    Args:
        parts: coarse scores (C, h, w) of each window; the whole image is one window.
        corners: (top, left) of the windows in the image that the model saw.
        window, image: (high, wide) pixels of a window, and of that image.
        finish: makes the head's scores of resized coarse ones (1, C, n, m), each pixel by itself;
            None where they are the scores.
        align_corners: of both interpolations.
        meta: of the sample, as mmseg's: `ori_shape`, padding and flip.
    """

    parts: Sequence[Tensor]
    corners: Sequence[tuple[int, int]]
    window: tuple[int, int]
    image: tuple[int, int]
    finish: Callable[[Tensor], Tensor] | None
    align_corners: bool
    meta: Mapping

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the photo."""
        return tuple(self.meta['ori_shape'][:2])

    @cached_property
    def kept(self) -> tuple[slice, slice, int | None]:
        return kept_part(self.meta, self.image)

    @cached_property
    def upright(self) -> tuple[int, int]:
        """(H, W) without padding."""
        return tuple(part.stop - part.start for part in self.kept[:2])

    @cached_property
    def down_window(self) -> Tensor:
        """Of a window's rows: (high, h)."""
        return interpolation([self.parts[0].shape[1], self.window[0]], self.align_corners).to(
            self.parts[0]
        )

    @cached_property
    def down_photo(self) -> Tensor:
        """Of the photo's rows: (H, rows of the image that are kept)."""
        return interpolation([self.upright[0], self.size[0]], self.align_corners).to(self.parts[0])

    def rows(self, first: int, end: int) -> Tensor:
        """Rows `first` to `end` of the photo: (C, n, W)."""
        if self.upright == self.size:
            return self.upright_rows(first, end)
        return self.interpolate(self.down_photo[first:end], self.upright_rows, self.size[1])

    def upright_rows(self, first: int, end: int) -> Tensor:
        """Rows of the image without padding and as the photo stands: (C, n, W)."""
        rows, columns, flip = self.kept
        if flip == 1:
            first, end = self.upright[0] - end, self.upright[0] - first
        scores = self.image_rows(rows.start + first, rows.start + end)[..., columns]
        return scores.flip(flip) if flip else scores

    def image_rows(self, first: int, end: int) -> Tensor:
        """Rows of the image that the model saw, the mean over its windows: (C, n, W)."""
        if len(self.parts) == 1:
            return self.window_rows(self.parts[0], first, end)
        width = self.image[1]
        total = self.parts[0].new_zeros(len(self.parts[0]), end - first, width)
        count = total.new_zeros(end - first, width)
        for part, (y, x) in zip(self.parts, self.corners, strict=True):
            top, bottom = max(first, y), min(end, y + self.window[0])
            if top < bottom:
                place = (slice(top - first, bottom - first), slice(x, x + self.window[1]))
                total[(slice(None), *place)] += self.window_rows(part, top - y, bottom - y)
                count[place] += 1
        return total.div_(count)

    def window_rows(self, part: Tensor, first: int, end: int) -> Tensor:
        """Finished rows of a window: (C, n, wide)."""
        scores = self.interpolate(
            self.down_window[first:end], lambda a, b: part[:, a:b], self.window[1]
        )
        return scores if self.finish is None else self.finish(scores[None])[0]

    def interpolate(self, down: Tensor, lines: Callable[[int, int], Tensor], width: int) -> Tensor:
        """Rows made by `down` (n, h) of those lines (C, k, w) that it takes: (C, n, width)."""
        used = lines_used(down)
        scores = down[:, used] @ lines(used.start, used.stop)
        return F.interpolate(
            scores[None], (len(down), width), mode='bilinear', align_corners=self.align_corners
        )[0]


def whole_rows(scores: Tensor, meta: Mapping, align_corners: bool = False) -> ScoreRows:
    """`ScoreRows` of scores (C, H, W) at the size of the image that the model saw."""
    size = tuple(scores.shape[1:])
    return ScoreRows([scores], [(0, 0)], size, size, None, align_corners, meta)


def strips(maps: Sequence[ScoreRows]) -> Iterator[Tensor]:
    """Scores (C, n, W) of a photo, from its top to its bottom: those of the only map, or the mean
    over augmentations of their softmax."""
    height, width = maps[0].size
    count = max(STRIP // (len(maps[0].parts[0]) * width), 8)
    for first in range(0, height, count):
        end = min(first + count, height)
        if len(maps) == 1:
            yield maps[0].rows(first, end)
        else:
            yield sum(one.rows(first, end).softmax(dim=0) for one in maps) / len(maps)


def best_labels(maps: Sequence[ScoreRows]) -> Tensor:
    """(H, W) int64: at every pixel the class with the largest score of `strips`."""
    one = maps[0]
    whole = len(maps) == len(one.parts) == 1 and one.upright == one.image and not one.kept[2]
    if whole and one.finish is None:
        return best_classes(one.parts[0][None], [one.image, one.size], one.align_corners)[0]
    with torch.autocast(one.parts[0].device.type, enabled=False):
        return torch.cat([strip.argmax(dim=0) for strip in strips(maps)])
