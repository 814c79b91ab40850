"""The regions of a label map as polygons."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np

# Of a pixel, beyond its corner. Readers that round, those that cut off the fraction and those that
# draw at the place itself then all come to the same pixel.
INSIDE = 0.25


class Region(NamedTuple):
    """`label`; `points` (N, 2) float64, x and y of at least 3 corners, in pixels; and `group`, the
    id of the object that it is a part of, None where only classes are told apart."""

    label: int
    points: np.ndarray
    group: int | None = None


def regions(labels: np.ndarray, num_classes: int) -> list[Region]:
    """Polygons of every class, in the order in which they are to be drawn.

    Drawn one over the other (`cv2.fillPoly`, Pillow's polygon with its outline), they give the
    labels again, pixel by pixel. A polygon has no holes: what lies in a hole of a region comes
    later, and covers it. Where a hole holds pixels of no class, which nothing would cover, the
    region is cut through it into two.

    Args:
        labels: (H, W) integers; those outside `0..num_classes-1` are of no class.
    """
    known = (labels >= 0) & (labels < num_classes)
    empty = None if known.all() else ~known
    found = []
    for label in np.unique(labels[known]):
        mask = (labels == label).astype(np.uint8)
        found += [(int(label), outline) for outline in outlines(mask, empty)]
    # A region in another's hole has the smaller outline.
    found.sort(key=lambda one: -cv2.contourArea(one[1]))
    return [Region(label, corners(outline)) for label, outline in found]


def mask_regions(mask: np.ndarray, label: int, group: int) -> list[Region]:
    """Polygons of one object: together they are its mask, whatever else is drawn. Its holes are
    cut through.

    Args:
        mask: (H, W) bool.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    corner = (int(columns[0]), int(rows[0]))
    return [
        Region(label, corners(outline), group)
        for outline in outlines(part.astype(np.uint8), ~part, corner)
    ]


def joined(shapes: Sequence[Region]) -> Iterator[Region]:
    """The parts of an object as one polygon, which goes to each on a line of no width and back, as
    Ultralytics joins those of COCO; regions without a group as they are."""
    for group, parts in groupby(shapes, lambda region: region.group):
        if group is None:
            yield from parts
            continue
        first, *rest = parts
        points = first.points
        for other in (part.points for part in rest):
            there = 0
            for _ in range(3):  # each time nearer
                here = nearest(points, other[there])
                there = nearest(other, points[here])
            other = np.concatenate([other[there:], other[: there + 1]])
            points = np.concatenate([points[: here + 1], other, points[here:]])
        yield first._replace(points=points)


def nearest(points: np.ndarray, place: np.ndarray) -> int:
    """Which of the points (N, 2) is the nearest to a place (2,)."""
    return int(((points - place) ** 2).sum(axis=1).argmin())


def outlines(
    mask: np.ndarray, empty: np.ndarray | None, corner: tuple[int, int] = (0, 0)
) -> Iterator[np.ndarray]:
    """Outer contours (N, 1, 2) int32, of pixels, of the pieces of a mask that share edges.

    Args:
        mask: (h, w) uint8, 0 and 1.
        empty: (h, w) bool, what no contour may enclose.
        corner: x and y of the mask's first pixel.
    """
    # By edges, since a region that slips out of another's hole at a corner lies in it only partly.
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    for i in range(1, count):
        x, y, width, height = boxes[i, :4].tolist()
        box = np.s_[y : y + height, x : x + width]
        part = (parts[box] == i).astype(np.uint8)
        outline = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0][0]
        at = (corner[0] + x, corner[1] + y)
        if empty is not None:
            inside = cv2.fillPoly(np.zeros_like(part), [outline], 1).astype(bool) & empty[box]
            columns = np.flatnonzero(inside.any(axis=0))
            if len(columns):
                cut = int(columns[len(columns) // 2])
                yield from outlines(part[:, :cut], empty[box][:, :cut], at)
                yield from outlines(part[:, cut:], empty[box][:, cut:], (at[0] + cut, at[1]))
                continue
        yield outline + np.int32(at)


def corners(outline: np.ndarray) -> np.ndarray:
    """(N, 1, 2) int32 -> (max(N, 3), 2) float64, inside of their pixels: a polygon has 3 corners
    at least, that of a single pixel three times the same."""
    points = outline[:, 0].astype(float) + INSIDE
    return np.concatenate([points, points[-1:].repeat(max(3 - len(points), 0), axis=0)])
