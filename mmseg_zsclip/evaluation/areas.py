"""Pixel areas of every test image, kept so that scores can be compared image by image."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..files import made_folder, whole_file
from .scores import summarise


def draws(images: int, resamples: int, seed: int = 0) -> np.ndarray:
    """How often each image is in each of `resamples` test sets drawn from the images with
    replacement: (resamples, images).

    The draws depend on the number of images and on `seed` alone: two models on the same images are
    resampled alike, so that differences are paired.
    """
    return np.random.default_rng(seed).multinomial(
        images, np.full(images, 1 / images), size=resamples
    )


@dataclass(frozen=True)
class ImageAreas:
    """What one model did on every image of a test set.

    areas: (images, 3, C) right, predicted and true pixels of each class, in the data set's order.
    classes: C canonical names. unseen: label values of the unseen ones.
    """

    areas: np.ndarray
    classes: tuple[str, ...]
    unseen: tuple[int, ...]

    @cached_property
    def scores(self) -> dict[str, float]:
        """The contract's keys over all images, percent."""
        return summarise(self.areas.astype(np.int64).sum(0), self.unseen)

    def resampled_scores(self, resamples: int, seed: int = 0) -> list[dict[str, float]]:
        """The contract's keys on `resamples` test sets, see `draws`."""
        count = len(self.areas)
        times = draws(count, resamples, seed)
        drawn = times @ self.areas.reshape(count, -1).astype(np.int64)
        return [
            summarise(areas, self.unseen)
            for areas in drawn.reshape(resamples, *self.areas.shape[1:])
        ]

    def same_images(self, other: 'ImageAreas') -> bool:
        """Whether the other model saw the same truth, image by image."""
        return (self.classes, self.unseen) == (other.classes, other.unseen) and np.array_equal(
            self.areas[:, 2], other.areas[:, 2]
        )


def write_areas(
    path: str | Path, areas: np.ndarray, classes: Sequence[str], unseen: Sequence[int]
) -> None:
    """Writes an `ImageAreas` as .npz, whole or not at all; `areas` (images, 3, C)."""
    write_arrays(
        path,
        areas=areas,
        classes=np.array(list(classes), dtype=str),
        unseen=np.array(list(unseen), dtype=np.int64),
    )


def read_areas(path: str | Path) -> ImageAreas:
    """Reads what `write_areas` wrote."""
    file = read_arrays(path)
    return ImageAreas(
        file['areas'], tuple(map(str, file['classes'])), tuple(map(int, file['unseen']))
    )


def write_arrays(path: str | Path, **arrays: np.ndarray) -> None:
    """Writes arrays as .npz, whole or not at all."""
    path = Path(path)
    made_folder(path.parent)
    with whole_file(path) as partial, open(partial, 'wb') as file:
        np.savez_compressed(file, **arrays)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Reads what `write_arrays` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
