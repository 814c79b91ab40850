"""The answer to one photo: labels with their names and colours, and how sure each region is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.structures import InstanceData
from PIL import Image

from ..annotations.label_maps import write_label_map
from ..datasets.base import distinct_colours
from ..files import made_folder, whole_file, write_json
from ..visualization.overlays import Shown, legend, legend_entries
from ..visualization.paint import paint
from ..vocabulary.labels import OFFSET
from .predictions import ClassScores, Prediction, limited
from .words import Prompts

SHOWN = 1024 * 768  # pixels of the photo that a result keeps, and of its overlay
REGIONS = 384 * 384  # pixels at which regions are found


class Region(NamedTuple):
    """A connected region of one class.

    `area` is its share of the photo, `box` x0, y0, x1, y1 in pixels of the photo, the last two
    exclusive, `confidence` the mean probability of its class, in [0, 1].
    """

    label: int
    name: str
    area: float
    box: tuple[int, int, int, int]
    confidence: float


@dataclass(frozen=True, eq=False)
class Instance:
    """One thing: `score` in [0, 1], `box` as a `Region`'s, `mask` (H, W) bool of the photo."""

    label: int
    name: str
    score: float
    box: tuple[int, int, int, int]
    small: np.ndarray = field(repr=False)
    size: tuple[int, int] = field(repr=False)

    @property
    def mask(self) -> np.ndarray:
        return resampled(self.small, self.size)


@dataclass(eq=False)
class Segmentation:
    """What was found in a photo of H x W pixels.

    Args:
        labels: (H, W) int64, indices into `classes`, or `ignored`.
        classes: names, in the order that was asked for.
        palette: RGB rows 0-255, one a class.
        ignored: label of pixels that are no class.
        photo: (h, w, 3) uint8, RGB, the photo, smaller if it is large.
        class_scores: of which `scores` are made.
        source: path of the photo, if it had one.
        instances: best first; None if they were not asked for.
        panoptic: (H, W) int64, class + 1000 * number of the thing, or the class for stuff; the
            number of classes where there is no segment; None if it was not asked for.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    palette: list[list[int]]
    ignored: int
    photo: np.ndarray = field(repr=False)
    class_scores: ClassScores = field(repr=False)
    source: str | None = None
    instances: list[Instance] | None = None
    panoptic: np.ndarray | None = None

    @property
    def scores(self) -> np.ndarray:
        """(C, H, W) float32, larger is likelier; made anew each time: 4 * C * H * W bytes."""
        return self.class_scores.whole()

    def scores_at(self, x: int, y: int) -> dict[str, float]:
        """Scores of the classes at one pixel of the photo, best first.

        Raises:
            IndexError: the pixel is outside.
        """
        height, width = self.labels.shape
        if not (0 <= x < width and 0 <= y < height):
            raise IndexError(f'pixel ({x}, {y}) is outside of the photo of {width} x {height}.')
        found = zip(self.classes, self.class_scores.at(x, y).tolist(), strict=True)
        return dict(sorted(found, key=lambda pair: -pair[1]))

    @cached_property
    def sure(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels (h, w) of a smaller picture of the photo, and the probability of each's class."""
        labels = resampled(self.labels, limited(self.labels.shape, REGIONS))
        return labels, self.class_scores.sureness(labels)

    @property
    def confidence(self) -> float:
        """Mean probability of the pixels' classes, in [0, 1]; ignored pixels count as 0. Photos
        with a low one are to be looked at first."""
        return float(self.sure[1].mean())

    @cached_property
    def regions(self) -> list[Region]:
        """Connected regions, the least sure first. Of a large photo they are found in a smaller
        picture."""
        labels, sure = self.sure
        factor = [full / small for full, small in zip(self.labels.shape, labels.shape, strict=True)]
        out = []
        for label in np.unique(labels[labels != self.ignored]).tolist():
            _, found, stats, _ = cv2.connectedComponentsWithStats(
                (labels == label).astype(np.uint8)
            )
            totals = np.bincount(found.ravel(), sure.ravel())
            for i, (x, y, w, h, area) in enumerate(stats.tolist()[1:], 1):
                ends = (x * factor[1], y * factor[0], (x + w) * factor[1], (y + h) * factor[0])
                box = tuple(round(value) for value in ends)
                out.append(
                    Region(
                        label, self.classes[label], area / labels.size, box, float(totals[i] / area)
                    )
                )
        return sorted(out, key=lambda region: region.confidence)

    def overlay(self, names: bool = True) -> Image.Image:
        """The photo, of at most 1024 x 768 pixels or so many, in the classes' colours, above a
        legend; with `names` also inside large regions."""
        labels = resampled(self.labels, self.photo.shape[:2])
        shown = Shown(self.classes, self.palette, ())
        picture = paint(labels, *shown, names=names, scale=1, photo=self.photo)
        foot = legend(*legend_entries(dict(labels=labels), shown), shown, max(picture.width, 160))
        out = Image.new(
            'RGB', (max(picture.width, foot.width), picture.height + foot.height), 'white'
        )
        out.paste(picture, (0, 0))
        out.paste(foot, (0, picture.height))
        return out

    def save(self, folder: 'str | Path', name: str | None = None) -> dict[str, Path]:
        """Writes three files into a folder, which is made, each whole or not at all.

        Args:
            name: of the files, without an ending; that of the photo's file if left out, else
                'photo'.

        Returns:
            `labels`: `NAME.png`, see `write_label_map`; `overlay`: `NAME_overlay.png`; `summary`:
            `NAME.json`, see `summary`.
        """
        folder = made_folder(folder)
        name = name or (Path(self.source).stem if self.source else 'photo')
        places = dict(
            labels=folder / f'{name}.png',
            overlay=folder / f'{name}_overlay.png',
            summary=folder / f'{name}.json',
        )
        write_label_map(self.labels, places['labels'], self.palette)
        with whole_file(places['overlay']) as partial:
            self.overlay().save(partial, format='PNG')
        write_json(places['summary'], self.summary())
        return places

    def summary(self) -> dict:
        """Names, colours, size, confidence, regions and segments, as plain data."""
        out = dict(
            source=self.source,
            height=self.labels.shape[0],
            width=self.labels.shape[1],
            classes=list(self.classes),
            palette=self.palette,
            ignored=self.ignored,
            confidence=self.confidence,
            regions=[region._asdict() for region in self.regions],
        )
        if self.instances is not None:
            out['instances'] = [
                dict(label=one.label, name=one.name, score=one.score, box=one.box)
                for one in self.instances
            ]
        if self.panoptic is not None:
            ids, counts = np.unique(self.panoptic, return_counts=True)
            out['segments'] = [
                dict(id=i, label=i % OFFSET, area=count / self.panoptic.size)
                for i, count in zip(ids.tolist(), counts.tolist(), strict=True)
                if i % OFFSET < len(self.classes)
            ]
        return out


def resampled(values: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """(H, W) -> (h, w), nearest."""
    rows, columns = (np.arange(n) * full // n for n, full in zip(size, values.shape, strict=True))
    return values[rows[:, None], columns]


def answer(
    found: Prediction, photo: object, pixels: np.ndarray, prompts: Prompts, ignored: int
) -> Segmentation:
    """What the user gets for a photo, of `pixels` (H, W, 3) BGR, in the classes of `prompts`."""
    size, names = pixels.shape[:2], prompts.names
    out = Segmentation(
        labels=found.labels.numpy(),
        classes=names,
        palette=distinct_colours(len(names)),
        ignored=ignored,
        photo=small_photo(pixels),
        class_scores=found.scores,
        source=str(photo) if isinstance(photo, str | Path) else None,
    )
    if found.instances is not None:
        out.instances = things_of(found.instances, prompts, size)
    if found.panoptic is not None:
        out.panoptic = resampled(classes_of_ids(found.panoptic.numpy(), prompts), size)
    return out


def small_photo(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) BGR -> (h, w, 3) RGB of at most about `SHOWN` pixels."""
    height, width = limited(pixels.shape[:2], SHOWN)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)[..., ::-1].copy()


def things_of(found: InstanceData, prompts: Prompts, size: tuple[int, int]) -> list[Instance]:
    """The instances of a photo of `size`, best first; several texts of one class may give one thing
    twice, of which the better stays."""
    masks, boxes = found.masks.numpy(), found.bboxes.numpy()
    scale = np.array(size)[[1, 0, 1, 0]] / np.array(masks.shape[1:] or size)[[1, 0, 1, 0]]
    out, seen = [], set()
    for text, score, box, mask in zip(
        found.labels.tolist(), found.scores.tolist(), boxes, masks, strict=True
    ):
        label = prompts.owner[text]
        key = label, mask.tobytes()
        if not mask.any() or key in seen:
            continue
        seen.add(key)
        box = tuple(np.rint(box * scale).astype(int).tolist())
        out.append(Instance(label, prompts.names[label], score, box, mask, size))
    return out


def classes_of_ids(ids: np.ndarray, prompts: Prompts) -> np.ndarray:
    """Panoptic ids of texts -> of classes; void, the number of texts, becomes that of classes."""
    owner = np.array([*prompts.owner, len(prompts.names)])
    return owner[ids % OFFSET] + ids // OFFSET * OFFSET
