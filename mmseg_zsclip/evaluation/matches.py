"""Instances found in every test image, kept so that AP50 can be compared image by image."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .areas import draws

RECALLS = np.linspace(0, 1, 101)  # where COCO reads the precision


@dataclass(frozen=True)
class InstanceMatches:
    """What one model found in the images of a test set, at an IoU of 0.5.

    image, label, score, hit: (N,) of each instance found: the place of its image, of its class, its
    score, and whether it is a true one. truth: (images, C), how many true ones of each class.
    classes: (C,) names. novel: (C,) bool; (0,) where nobody says which classes are.
    """

    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    hit: np.ndarray
    truth: np.ndarray
    classes: np.ndarray
    novel: np.ndarray

    @cached_property
    def scores(self) -> dict[str, float]:
        """`AP50`, `AP50(base)` and `AP50(novel)` over all images, percent."""
        return self._scores(np.ones(len(self.truth), dtype=np.int64))

    def resampled_scores(self, resamples: int, seed: int = 0) -> list[dict[str, float]]:
        """The same keys on `resamples` test sets drawn from the images, see `draws`."""
        return [self._scores(times) for times in draws(len(self.truth), resamples, seed)]

    def same_images(self, other: 'InstanceMatches') -> bool:
        """Whether the other model was to find the same instances, of the classes of both."""
        shared = [name for name in self.classes if name in other.classes]
        one, two = (
            kept.truth[:, [list(kept.classes).index(name) for name in shared]]
            for kept in (self, other)
        )
        return bool(shared) and np.array_equal(one, two)

    @cached_property
    def _by_class(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each class the places of images and the hits, by descending score."""
        order = np.argsort(-self.score, kind='mergesort')  # stable, as pycocotools sorts
        label = self.label[order]
        rows = [order[label == i] for i in range(len(self.classes))]
        return [(self.image[of_class], self.hit[of_class]) for of_class in rows]

    def _scores(self, times: np.ndarray) -> dict[str, float]:
        """Of a test set that has each image so many `times` (images,)."""
        values = np.array(
            [
                average_precision(times[image], hit, total)
                for (image, hit), total in zip(self._by_class, times @ self.truth, strict=True)
            ]
        )
        groups = {'': np.ones(len(values), dtype=bool)}
        if len(self.novel):
            groups |= {'(base)': ~self.novel, '(novel)': self.novel}
        known = ~np.isnan(values)
        return {
            f'AP50{group}': 100 * float(values[rows & known].mean())
            for group, rows in groups.items()
            if (rows & known).any()
        }


def average_precision(times: np.ndarray, hit: np.ndarray, total: int) -> float:
    """The mean over `RECALLS` of the best precision at that recall or a higher one, as COCO has it.

    Args:
        times: (N,) how often each instance was found, by descending score.
        hit: (N,) bool, whether it is a true one.
        total: true ones.

    Returns:
        in [0, 1]; NaN where there is no true one.
    """
    if not total:
        return np.nan
    right, found = np.cumsum(times * hit), np.cumsum(times)
    precision = np.append(right / np.maximum(found, 1), 0)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(precision[np.searchsorted(right / total, RECALLS, side='left')].mean())


def matches_of(
    found: Sequence[dict | None], images: int, classes: Sequence[str], novel: np.ndarray
) -> InstanceMatches:
    """From the `evalImgs` of a COCOeval of one IoU and one range of areas, class by class. What is
    crowded or matches a crowd counts nowhere."""
    truth = np.zeros((images, len(classes)), dtype=np.int64)
    rows = []
    for i, one in enumerate(found):
        if one is None:  # nothing there and nothing found
            continue
        label, image = divmod(i, images)
        truth[image, label] = np.sum(np.asarray(one['gtIgnore']) == 0)
        kept = ~np.asarray(one['dtIgnore'][0], dtype=bool)
        scores, hits = np.array(one['dtScores'])[kept], one['dtMatches'][0][kept] > 0
        rows += [(image, label, score, hit) for score, hit in zip(scores, hits, strict=True)]
    image, label, score, hit = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return InstanceMatches(
        *(image.astype(np.int64), label.astype(np.int64), score, hit.astype(bool)),
        *(truth, np.array(classes, dtype=str), novel),
    )
