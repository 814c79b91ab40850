"""What was found in one photo, as every format takes it: a label map, instances or segments."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..vocabulary.labels import OFFSET
from .polygons import Region, mask_regions, regions

SPAN = 10**5  # ids of a photo's objects


class Object(NamedTuple):
    """`id` in its photo, from 1; `label`, its class; `code`, COCO's run-length code of its mask;
    and `score` in [0, 1], None where there is none."""

    id: int
    label: int
    code: dict
    score: float | None = None

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        from pycocotools import mask as codes

        return codes.decode(self.code).astype(bool)


def encoded(mask: np.ndarray) -> dict:
    """The run-length code of a mask (H, W), which decodes to it exactly: `size`, and `counts` in
    bytes."""
    from pycocotools import mask as codes

    return codes.encode(np.asfortranarray(mask, dtype=np.uint8))


class Labels:
    """A label map: what there is of a class is one object, whose id is the class + 1.

    Args:
        labels: (H, W) integers; those outside `0..num_classes-1` are of no class.
    """

    places = None  # of objects, which are the classes

    def __init__(self, labels: np.ndarray, num_classes: int) -> None:
        self.labels, self.span = labels, num_classes

    @property
    def size(self) -> tuple[int, int]:
        return self.labels.shape

    @cached_property
    def objects(self) -> list[Object]:
        known = self.labels[(self.labels >= 0) & (self.labels < self.span)]
        return [
            Object(label + 1, label, encoded(self.labels == label))
            for label in np.unique(known).tolist()
        ]

    @cached_property
    def shapes(self) -> list[Region]:
        """Several formats share them."""
        return regions(self.labels, self.span)


class Instances:
    """Objects, best first, which may lie over each other.

    Args:
        objects: with ascending ids.
        size: (H, W).
    """

    span = SPAN

    def __init__(self, objects: Sequence[Object], size: tuple[int, int]) -> None:
        self.objects, self.size = objects, tuple(size)

    @cached_property
    def ids(self) -> np.ndarray:
        """(H, W) int64: the best object of each pixel, 0 where there is none."""
        out = np.zeros(self.size, np.int64)
        for one in reversed(self.objects):
            out[one.mask] = one.id
        return out

    @cached_property
    def places(self) -> np.ndarray:
        """(H, W) int64: the place of each pixel's object in `objects`, -1 where there is none."""
        found = np.searchsorted([one.id for one in self.objects], self.ids)
        return np.where(self.ids > 0, found, -1)

    @property
    def labels(self) -> np.ndarray:
        """(H, W) int64: the class of each pixel's object, -1 where there is none."""
        return np.array([*(one.label for one in self.objects), -1])[self.places]

    @cached_property
    def shapes(self) -> list[Region]:
        """Of each object by itself, grouped by its id; several formats share them."""
        return [
            region for one in self.objects for region in mask_regions(one.mask, one.label, one.id)
        ]


class Segments(Instances):
    """Panoptic segments, of which none lies over another.

    Args:
        ids: (H, W) integers: class + 1 of stuff, class + 1 + 1000 * number of a thing, 0 where
            there is no segment.
    """

    def __init__(self, ids: np.ndarray) -> None:
        found = [
            Object(i, (i - 1) % OFFSET, encoded(ids == i)) for i in np.unique(ids[ids > 0]).tolist()
        ]
        super().__init__(found, ids.shape)
        self.ids = ids


Found = Labels | Instances
