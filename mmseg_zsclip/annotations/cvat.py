"""The zip that CVAT takes as "Segmentation mask 1.1": its variant of PASCAL VOC's folders.

labelmap.txt                        a line `name:R,G,B::` for each class
ImageSets/Segmentation/default.txt  the photos' names, without their endings
SegmentationClass/<name>.png        the classes' colours
SegmentationObject/<name>.png       a colour for each object: here, each class of a photo is one

Layout: docs.cvat.ai, "Segmentation Mask".
"""

import io
import os
import zipfile
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from ..datasets.base import distinct_colours
from ..files import whole_file
from ..vocabulary.lists import BACKGROUND

BLACK = (0, 0, 0)  # what CVAT takes for the background, of which it makes no annotation


def write_cvat_zip(
    path: str | os.PathLike,
    photos: Iterable[tuple[str, np.ndarray]],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> None:
    """Whole or not at all; the same bytes for the same photos.

    Args:
        path: where to; its folder must exist.
        photos: name without its ending, as the task's photo is called, and labels (H, W) integers;
            those outside `0..C-1` are CVAT's background, as is a class of that name.
        classes: C names.
        palette: C RGB rows, 0-255.

    Raises:
        ValueError: a name that a line of labelmap.txt cannot hold; two classes of one colour.
    """
    colours = class_colours(classes, palette)
    objects = np.array([BLACK, *distinct_colours(len(classes))], np.uint8)
    objects[1:][(colours[1:] == BLACK).all(axis=1)] = BLACK
    names = []
    with whole_file(path) as partial, zipfile.ZipFile(partial, 'w') as archive:
        for name, labels in photos:
            at = np.where((labels >= 0) & (labels < len(classes)), labels + 1, 0)
            for folder, table in (('SegmentationClass', colours), ('SegmentationObject', objects)):
                _add(archive, f'{folder}/{name}.png', _png(table[at]))
            names.append(f'{name}\n')
        _add(archive, 'ImageSets/Segmentation/default.txt', ''.join(names).encode())
        _add(archive, 'labelmap.txt', label_map_text(classes, colours[1:]).encode())


def class_colours(classes: Sequence[str], palette: Sequence[Sequence[int]]) -> np.ndarray:
    """(C + 1, 3) uint8: first that of no class, which is that of a class called background."""
    colours = np.array([BLACK, *palette], np.uint8)
    for i, name in enumerate(classes, 1):
        if name.lower() == BACKGROUND:
            colours[i] = BLACK
        elif colours[i].tolist() == [*BLACK]:
            raise ValueError(
                f'class {name!r} is black, (0, 0, 0), which CVAT takes for its background. Give '
                'it another colour.'
            )
    known = colours[(colours != BLACK).any(axis=1)]
    if len(np.unique(known, axis=0)) < len(known):
        raise ValueError('two classes have the same colour in the palette: CVAT tells them by it.')
    return colours


def label_map_text(classes: Sequence[str], colours: np.ndarray) -> str:
    lines = ['# label:color_rgb:parts:actions', f'{BACKGROUND}:0,0,0::']
    for name, colour in zip(classes, colours.tolist(), strict=True):
        if ':' in name or name.startswith('#'):
            raise ValueError(
                f'class {name!r} cannot be a label of CVAT\'s labelmap.txt, where ":" ends a name '
                'and "#" begins a comment. Call it otherwise.'
            )
        if name.lower() != BACKGROUND:
            lines.append(f'{name}:{",".join(map(str, colour))}::')
    return '\n'.join(lines) + '\n'


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'PNG')
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """With no time in it: the oldest that a zip can state."""
    archive.writestr(zipfile.ZipInfo(name), content)
