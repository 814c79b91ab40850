"""The zip that CVAT takes as "Segmentation mask 1.1": its variant of PASCAL VOC's folders.

labelmap.txt                        a line `name:R,G,B::` for each class
ImageSets/Segmentation/default.txt  the photos' names, without their endings
SegmentationClass/<name>.png        the classes' colours
SegmentationObject/<name>.png       a colour for each object; of label maps each class is one

Layout: docs.cvat.ai, "Segmentation Mask".
"""

import os
import zipfile
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from ..datasets.base import distinct_colours
from ..files import whole_file
from ..vocabulary.lists import BACKGROUND

BLACK = (0, 0, 0)  # what CVAT takes for the background, of which it makes no annotation
FOLDERS = ('SegmentationClass', 'SegmentationObject')


class CVATMasks:
    """A class's colours, in the masks and in the list of labels.

    Args:
        classes: C names; one called background is CVAT's own, as are pixels of no class.
        palette: C RGB rows, 0-255.

    Raises:
        ValueError: a name that a line of labelmap.txt cannot hold; two classes of one colour.
    """

    def __init__(self, classes: Sequence[str], palette: Sequence[Sequence[int]]) -> None:
        known = np.array([name.lower() != BACKGROUND for name in classes])
        self.labels = {
            name: tuple(map(int, colour))
            for name, colour, other in zip(classes, palette, known, strict=True)
            if other
        }
        taken = {BLACK: "CVAT's background"}
        for name, colour in self.labels.items():
            if ':' in name or name.startswith('#'):
                raise ValueError(
                    f"class {name!r} cannot be a label of CVAT's labelmap.txt, where ':' ends a "
                    "name and '#' begins a comment. Call it otherwise."
                )
            if colour in taken:
                raise ValueError(
                    f'class {name!r} has the colour {colour} of {taken[colour]}: CVAT tells them '
                    'by it. Give each its own.'
                )
            taken[colour] = f'class {name!r}'
        # Rows of a table: first no class, then the classes.
        self.tables = [
            np.array([BLACK, *np.where(known[:, None], colours, BLACK)], np.uint8)
            for colours in (palette, distinct_colours(len(classes)))
        ]

    def pngs(self, labels: np.ndarray, places: np.ndarray | None = None) -> list[bytes]:
        """A photo's file in each of `FOLDERS`.

        Args:
            labels: (H, W) integers; those outside `0..C-1` are of no class.
            places: (H, W), the number of each pixel's object from 0, negative where there is none;
                if left out, each class is an object.
        """
        count = len(self.tables[0]) - 1
        rows = np.where((labels >= 0) & (labels < count), labels, -1) + 1
        classes, objects = (table[rows] for table in self.tables)
        if places is not None:
            colours = np.array([BLACK, *distinct_colours(int(places.max()) + 1)], np.uint8)
            objects = colours[np.where(objects.any(axis=2), places, -1) + 1]
        return [_png(classes), _png(objects)]

    def text(self) -> str:
        """labelmap.txt."""
        lines = ['# label:color_rgb:parts:actions', f'{BACKGROUND}:0,0,0::']
        lines += [f'{name}:{",".join(map(str, rgb))}::' for name, rgb in self.labels.items()]
        return '\n'.join(lines) + '\n'


def write_cvat_zip(
    path: str | os.PathLike, photos: Iterable[tuple[str, Sequence[bytes]]], masks: CVATMasks
) -> None:
    """Whole or not at all; the same bytes for the same photos.

    Args:
        path: where to; its folder must exist.
        photos: name without its ending, as the task's photo is called, and `masks.pngs` of it.
    """
    names = []
    with whole_file(path) as partial, zipfile.ZipFile(partial, 'w') as archive:
        for name, files in photos:
            for folder, content in zip(FOLDERS, files, strict=True):
                _add(archive, f'{folder}/{name}.png', content)
            names.append(f'{name}\n')
        _add(archive, 'ImageSets/Segmentation/default.txt', ''.join(names).encode())
        _add(archive, 'labelmap.txt', masks.text().encode())


def _png(pixels: np.ndarray) -> bytes:
    return cv2.imencode('.png', pixels[..., ::-1])[1].tobytes()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """With no time in it: the oldest that a zip can state."""
    archive.writestr(zipfile.ZipInfo(name), content)
