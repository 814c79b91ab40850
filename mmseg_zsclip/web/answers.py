"""What the page asks of models, and the files that a visitor takes home."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..annotations.found import Labels
from ..annotations.writers import WRITERS, Photo
from ..apis.model_list import named_model
from ..apis.segmentation import Segmentation
from .inputs import Chosen, words_of
from .offers import Offers


@dataclass(frozen=True, eq=False)
class Panel:
    """One model's answer: its name, what it said, and how many seconds it took."""

    model: str
    found: Segmentation
    seconds: float

    def shrink(self) -> None:
        """Makes labels bytes, once all is drawn: a session keeps them, and of a photo of 24 million
        pixels they would take 192 MB."""
        self.found.labels = self.found.labels.astype(np.min_scalar_type(self.found.ignored))

    def scores_at(self, x: int, y: int) -> dict[str, float]:
        """See `Segmentation.scores_at`; a place beyond the edge is that of the edge."""
        height, width = self.found.labels.shape
        return self.found.scores_at(min(max(x, 0), width - 1), min(max(y, 0), height - 1))


def answers(
    offers: Offers, models: Sequence[str], photo: Chosen | None, text: str, background: bool
) -> list[Panel]:
    """What each model says of a photo.

    Args:
        models: names, one or more; a name that stands twice is asked once.
        text: of classes, see `words_of`; empty for those of a model that has no others.
        background: a last class of everything else.

    Raises:
        ValueError, OSError, TypeError: no photo; see `words_of`, `Offers.segmenter` and
            `ZeroShotSegmenter`.
    """
    if photo is None:
        raise ValueError('there is no photo. Choose a file, or one of the examples.')
    out = []
    for name in dict.fromkeys(models):
        closed = 'own classes' in named_model(name).gives and not text.strip()
        words = None if closed else words_of(text)
        segmenter = offers.segmenter(name)
        start = time.perf_counter()
        found = segmenter(photo.pixels, words, background or None)
        out.append(Panel(name, found, time.perf_counter() - start))
    return out


def files_of(panel: Panel, photo: Chosen) -> dict[str, bytes]:
    """Name -> content: the label map and its overlay, PNG, and `coco.json`. They have the stem of
    the photo and the model's name."""
    found, stem = panel.found, f'{Path(photo.name).stem}_{panel.model}'.replace(' ', '_')
    with TemporaryDirectory() as folder:
        out = Path(folder)
        saved = found.save(out, 'photo')
        writer = WRITERS['coco'](out, found.classes, found.palette)
        named = Photo(photo.name, stem, 1)  # no folder: a visitor's is not ours to name
        labels = Labels(found.labels, len(found.classes))
        writer.write(named, labels)
        writer.finish([named], lambda _: labels)
        return {
            f'{stem}.png': saved['labels'].read_bytes(),
            f'{stem}_overlay.png': saved['overlay'].read_bytes(),
            f'{stem}_coco.json': (out / 'coco.json').read_bytes(),
        }
