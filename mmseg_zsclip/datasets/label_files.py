"""Label maps on disk: reading, writing, and what each stored value means."""

import io
import os
from collections.abc import Sequence

import numpy as np
from mmengine import fileio
from PIL import Image

from ..files import whole_file
from ..vocabulary.labels import IGNORE, ignore_index
from .photo_files import DECODE_ERRORS, ORIENTATION

ILLEGAL = -2
# Raw COCO-Stuff ids run to 181; among the first 171 values these never occur.
COCO_HOLES = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
COCO_HINT = (
    ' These look like the raw ids of COCO-Stuff: run'
    ' python tools/dataset_converters/coco_stuff164k.py ROOT and use *_labelTrainIds.png.'
)


def read_label_file(path: str, backend_args: dict | None = None) -> np.ndarray:
    """Stored values of a one-channel image file, (H, W), uint8 or wider; palettes are not applied.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image, one of colours, of fractions, of several frames, compressed with
            loss, or with an EXIF orientation.
    """
    image, labels = _opened(path, backend_args)
    if labels.dtype == bool:  # 1 bit a pixel
        labels = labels.astype(np.uint8)
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f'label file {path} is no label map: mode {image.mode}, shape {labels.shape}'
            f'{_values(labels)}; legal: one channel of whole numbers (L, P, I;16, I). Colours must'
            ' first be converted to label values (tools/dataset_converters).'
        )
    _check_kind(path, image)
    return labels


def read_colour_labels(path: str) -> np.ndarray:
    """Colours (H, W, 3) uint8, RGB, of a label file of colours, as data sets release them.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image of colours, of several frames, compressed with loss, or with an
            EXIF orientation.
    """
    image, labels = _opened(path)
    if image.mode not in ('RGB', 'RGBA'):
        raise ValueError(
            f'label file {path} has mode {image.mode}, shape {labels.shape}; legal: colours (RGB,'
            ' RGBA). Give the release whose labels are colours.'
        )
    _check_kind(path, image)
    return labels[..., :3]


def _opened(path: str, backend_args: dict | None = None) -> tuple[Image.Image, np.ndarray]:
    try:
        image = Image.open(io.BytesIO(fileio.get(str(path), backend_args=backend_args)))
        labels = np.asarray(image)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'label file {path} does not exist. Check data_prefix["seg_map_path"] and'
            ' seg_map_suffix, or run the converter of the data set'
            ' (tools/dataset_converters).'
        ) from error
    except DECODE_ERRORS as error:
        raise ValueError(
            f'label file {path} cannot be read as an image ({error}). Write it again with the'
            ' converter of the data set (tools/dataset_converters).'
        ) from error
    return image, labels


def _values(labels: np.ndarray) -> str:
    if labels.ndim != 2:
        return ''
    return f', values such as {", ".join(map(str, np.unique(labels)[:5].tolist()))}'


def _check_kind(path: str, image: Image.Image) -> None:
    if getattr(image, 'n_frames', 1) > 1:
        raise ValueError(
            f'label file {path} holds {image.n_frames} frames; legal: 1. Store each as its own.'
        )
    if image.format == 'JPEG':
        raise ValueError(
            f'label file {path} is a JPEG, which smears label values. Store label maps as PNG.'
        )
    turned = image.getexif().get(ORIENTATION, 1)
    if turned != 1:
        raise ValueError(
            f'label file {path} has EXIF orientation {turned}; label maps are read as they are'
            f' stored, so it would be unclear which way is up. Take the tag out: exiftool'
            f' -Orientation= {path}'
        )


def check_sizes(
    photo: str | None, photo_shape: Sequence[int], path: str, label_shape: Sequence[int]
) -> None:
    """That a label map lies on its photo.

    Args:
        photo_shape: (H, W, ...) of the photo as it was read, upright.
        label_shape: (H, W, ...) of the label map.

    Raises:
        ValueError: the sizes differ; names both files and sizes.
    """
    (high, wide), (rows, columns) = photo_shape[:2], label_shape[:2]
    if (high, wide) == (rows, columns):
        return
    turned = (high, wide) == (columns, rows)
    raise ValueError(
        f'label file {path} has {columns} x {rows} pixels, its photo {photo or "(an array)"} '
        f'{wide} x {high} (width x height). '
        + (
            'The photo was turned by its EXIF orientation, as every viewer does, and the labels '
            'were drawn on the stored pixels: turn the label map too.'
            if turned
            else 'Every pixel needs its own label: write the map at the size of its photo (resize '
            'labels with nearest neighbour).'
        )
    )


def write_label_file(labels: np.ndarray, path: str | os.PathLike) -> None:
    """PNG of 8 or 16 bits, whole or not at all (written beside its place, then renamed).

    Args:
        labels: (H, W) uint8 or uint16, or colours (H, W, 3) uint8, RGB.
        path: where to; its folder must exist.
    """
    with whole_file(path) as partial:
        Image.fromarray(labels).save(partial, format='PNG')


class LabelReader:
    """Reads label files of one data set as int32 labels and refuses values that nothing has.

    Args:
        num_classes: C, of the classes that come out.
        reduce_zero_label: stored 0 is ignored and 1 is class 0.
        label_map: mmseg's map of old to new classes, 255 = dropped.
        backend_args: see mmengine's file client.
    """

    def __init__(
        self,
        num_classes: int,
        reduce_zero_label: bool = False,
        label_map: dict | None = None,
        backend_args: dict | None = None,
    ) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index(num_classes)
        self.first = int(bool(reduce_zero_label))
        self.backend_args = backend_args
        labels = label_map or {i: i for i in range(num_classes)}
        # One row for each 16-bit value, and a last one for all others.
        self.table = np.full(65537, ILLEGAL, np.int32)
        for old, new in labels.items():
            dropped = bool(label_map) and new == IGNORE
            self.table[old + self.first] = self.ignore_index if dropped else new
        if reduce_zero_label:
            self.table[0] = self.ignore_index
        self.table[self.ignore_index] = self.ignore_index
        self.last = max(labels) + self.first

    def __call__(self, path: str) -> np.ndarray:
        """Labels (H, W) int32 in `{0..C-1, ignore}`.

        Raises:
            FileNotFoundError: no such file.
            ValueError: no label map, a value outside the classes (the file and the values are
                named), or 255 in an 8-bit file where 255 is a class.
        """
        stored = read_label_file(path, self.backend_args)
        if stored.dtype == np.uint8 and self.ignore_index != IGNORE and (stored == IGNORE).any():
            raise ValueError(
                f'label file {path} has 8 bits and holds 255, which among {self.num_classes} '
                f'classes could be a class or an ignored pixel. Store 16 bits, ignored ='
                f' {self.ignore_index} (tools/dataset_converters).'
            )
        known = stored
        if stored.dtype not in (np.uint8, np.uint16):  # wider or signed: the last row is illegal
            known = np.where(
                (stored >= 0) & (stored < len(self.table)), stored, len(self.table) - 1
            )
        labels = self.table[known]
        if labels.min() == ILLEGAL:
            raise ValueError(self._outside(path, np.unique(stored[labels == ILLEGAL])))
        return labels

    def _outside(self, path: str, values: np.ndarray) -> str:
        shown = ', '.join(map(str, values[:10])) + (', ...' if len(values) > 10 else '')
        message = (
            f'label file {path} holds {shown}; legal: {self.first} to {self.last}'
            f' ({self.num_classes} classes{", 0 = ignored" if self.first else ""}) and'
            f' {self.ignore_index} (ignored).'
        )
        if self.num_classes == 171 and ((values > 170) & (values < 182)).all():
            return message + COCO_HINT
        return message + (
            ' Is this the right data set, and was its converter run (tools/dataset_converters)?'
            ' zsclip check looks at all files.'
        )
