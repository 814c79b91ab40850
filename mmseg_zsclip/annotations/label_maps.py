"""PNG whose values are the classes, with a palette: what training reads, and any viewer shows."""

import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..files import whole_file
from ..vocabulary.labels import IGNORE, ignore_index


def write_label_map(
    labels: np.ndarray, path: str | os.PathLike, palette: Sequence[Sequence[int]]
) -> None:
    """Whole or not at all. Up to 254 classes take 8 bits a pixel, and no class is 255, drawn
    white; more take 16 bits, without a palette, and no class is 65535.

    Args:
        labels: (H, W) integers; those outside `0..C-1` are of no class.
        path: where to; its folder must exist.
        palette: C RGB rows, 0-255.
    """
    count = len(palette)
    none = ignore_index(count)
    stored = np.where((labels >= 0) & (labels < count), labels, none)
    image = Image.fromarray(stored.astype(np.uint8 if none == IGNORE else np.uint16))
    if none == IGNORE:
        colours = np.full((256, 3), 255, np.uint8)
        colours[:count] = palette
        image.putpalette(colours.tobytes())
    with whole_file(path) as partial:
        image.save(partial, format='PNG')
