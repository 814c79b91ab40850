"""Reads a label map without wrapping large values, and refuses values that no class has."""
import io
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from PIL import Image, UnidentifiedImageError

from mmseg_zsclip.registry import TRANSFORMS

from ..labels import IGNORE, ignore_index
from ..vocabulary import load_classes

_ILLEGAL = -2


def read_label_file(path: str, backend_args: dict | None = None) -> np.ndarray:
    """Stored values of a one-channel image file, (H, W), uint8 or wider; palettes are not applied.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image, or an image of colours.
    """
    try:
        image = Image.open(io.BytesIO(fileio.get(path, backend_args=backend_args)))
        labels = np.asarray(image)
    except (UnidentifiedImageError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(
                f'label file {path} does not exist. Check data_prefix["seg_map_path"] and'
                ' seg_map_suffix, or run the converter of the data set'
                ' (tools/dataset_converters).') from error
        raise ValueError(
            f'label file {path} cannot be read as an image ({error}). Write it again with the'
            ' converter of the data set (tools/dataset_converters).') from error
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f'label file {path} is no label map: mode {image.mode}, shape {labels.shape}; legal:'
            ' one channel of whole numbers (L, P, I;16, I). Colours must first be converted to'
            ' label values (tools/dataset_converters).')
    return labels


@TRANSFORMS.register_module()
class LoadLabels(BaseTransform):
    """Label map as int32, so that 847 classes survive (mmseg's loader reads uint8: 256 -> 0).

    Required keys: ``seg_map_path``, ``reduce_zero_label``, ``label_map``, ``seg_fields``.
    Added key: ``gt_seg_map`` (H, W) int32 in ``{0..C-1, ignore}``.

    Args:
        classes: full class list of the data set, as :func:`load_classes` takes it.
        reduce_zero_label: the file's 0 is ignored and 1 is class 0. By default the data set says.
        backend_args: see mmengine's file client.

    Raises:
        ValueError: the file holds a value that is neither a class nor the ignore value, an 8-bit
            file holds 255 where 255 is a class, or the file is no label map.
        FileNotFoundError: no such file.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        reduce_zero_label: bool | None = None,
        backend_args: dict | None = None,
    ) -> None:
        self.num_classes = len(load_classes(classes))
        self.ignore_index = ignore_index(self.num_classes)
        self.reduce_zero_label = reduce_zero_label
        self.backend_args = backend_args
        self._tables = {}

    def transform(self, results: dict) -> dict:
        path = results['seg_map_path']
        stored = read_label_file(path, self.backend_args)
        reduce_zero = results.get('reduce_zero_label', False)
        if self.reduce_zero_label is not None:
            reduce_zero = self.reduce_zero_label
        label_map = results.get('label_map')
        if stored.dtype == np.uint8 and self.ignore_index != IGNORE and (stored == IGNORE).any():
            raise ValueError(
                f'label file {path} has 8 bits and holds 255, which among {self.num_classes}'
                f' classes could be a class or an ignored pixel. Store 16 bits, ignore ='
                f' {self.ignore_index} (tools/dataset_converters).')
        table = self._table(bool(reduce_zero), label_map)
        labels = table[np.clip(stored, -1, len(table) - 1)] if stored.dtype.itemsize > 2 \
            else table[stored]
        if labels.min() == _ILLEGAL:
            self._fail(path, np.unique(stored[labels == _ILLEGAL]), bool(reduce_zero))
        results['gt_seg_map'] = labels
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def _table(self, reduce_zero: bool, label_map: dict | None) -> np.ndarray:
        """Stored value -> label, (65537,) int32; the last row catches -1."""
        key = reduce_zero, tuple(sorted(label_map.items())) if label_map else None
        if key not in self._tables:
            table = np.full(65537, _ILLEGAL, np.int32)
            first = int(reduce_zero)
            labels = dict(label_map) if label_map else {i: i for i in range(self.num_classes)}
            for old, new in labels.items():
                dropped = new == IGNORE and label_map
                table[old + first] = self.ignore_index if dropped else new
            if reduce_zero:
                table[0] = self.ignore_index
            table[self.ignore_index] = self.ignore_index
            self._tables[key] = table
        return self._tables[key]

    def _fail(self, path: str, values: np.ndarray, reduce_zero: bool) -> None:
        first = int(reduce_zero)
        shown = ', '.join(map(str, values[:10])) + (', ...' if len(values) > 10 else '')
        raise ValueError(
            f'label file {path} holds {shown}; legal: {first} to {self.num_classes - 1 + first}'
            f' ({self.num_classes} classes{", 0 = ignored" if reduce_zero else ""}) and'
            f' {self.ignore_index} (ignored). Is this the right data set, and was its converter'
            ' run (tools/dataset_converters)? tools/check_dataset.py checks all files.')

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(num_classes={self.num_classes},'
                f' ignore_index={self.ignore_index}, reduce_zero_label={self.reduce_zero_label})')
