"""The loaders of photos and of label maps for pipelines, and one for photos that have none."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile

from ...registry import TRANSFORMS
from ...vocabulary.labels import UNLABELLED
from ...vocabulary.lists import load_classes
from ..facts import Facts, known
from ..label_files import LabelReader, check_sizes
from ..photo_files import check_finite, photo_bytes, read_photo


@TRANSFORMS.register_module()
class LoadPhoto(LoadImageFromFile):
    """mmcv's loader with one rule for EXIF and errors that name the file (`read_photo`);
    arguments and pixels of a sound photo are mmcv's. `SegDataset` puts it in the place of
    `LoadImageFromFile`.

    Required key: `img_path`. Added keys: `img` (H, W, 3), BGR, `img_shape`, `ori_shape`.

    Raises:
        FileNotFoundError, ValueError: see `read_photo`.
    """

    def transform(self, results: dict) -> dict | None:
        path = results['img_path']
        if (self.color_type, self.imdecode_backend) != ('color', 'cv2') or self.file_client_args:
            if not (self.ignore_empty or self.file_client_args):
                photo_bytes(path, self.backend_args)  # names a missing or an empty file
            results = super().transform(results)
            if results is not None:
                check_finite(path, results['img'])
            return results
        try:
            image = read_photo(path, backend_args=self.backend_args)
        except (FileNotFoundError, ValueError):
            if self.ignore_empty:
                return None
            raise
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadLabels(BaseTransform):
    """Label map as int32, so that 847 classes survive (mmseg's loader reads uint8: 256 -> 0).

    Required keys: `reduce_zero_label`, `label_map`, `seg_fields`, and `seg_map_path`; a
    photo without it, as mmseg's `inference_model` gives one, passes as it is. `ori_shape`, which
    the loader of the photo sets, must be the size of the label map.
    Added key: `gt_seg_map` (H, W) int32 in `{0..C-1, ignore}`.

    Args:
        classes: full class list of the data set, as `load_classes` takes it. By default the data
            set says (a `SegDataset`; others, as mmseg's own, do not).
        reduce_zero_label: the file's 0 is ignored and 1 is class 0. By default the data set says.
        backend_args: see mmengine's file client.

    Raises:
        FileNotFoundError, ValueError: see `LabelReader`.
        ValueError: the label map has another size than its photo; no class list, or another one
            than the data set's.
    """

    def __init__(
        self,
        classes: str | Sequence[str] | None = None,
        reduce_zero_label: bool | None = None,
        backend_args: dict | None = None,
    ) -> None:
        self.classes = None if classes is None else load_classes(classes)
        self.reduce_zero_label = reduce_zero_label
        self.backend_args = backend_args
        self._readers = {}

    def learn(self, facts: Facts) -> None:
        """Take what the data set says where nothing was given."""
        self.classes = facts.settle_classes('LoadLabels', self.classes, stored=True)

    def transform(self, results: dict) -> dict:
        if results.get('seg_map_path') is None:
            return results
        reduce_zero = self.reduce_zero_label
        if reduce_zero is None:
            reduce_zero = results.get('reduce_zero_label', False)
        label_map = results.get('label_map')
        key = reduce_zero, tuple(sorted(label_map.items())) if label_map else None
        if key not in self._readers:
            self._readers[key] = LabelReader(
                len(known(self.classes, 'LoadLabels')), reduce_zero, label_map, self.backend_args
            )
        labels = self._readers[key](results['seg_map_path'])
        if 'ori_shape' in results:
            check_sizes(
                results.get('img_path'), results['ori_shape'], results['seg_map_path'], labels.shape
            )
        results['gt_seg_map'] = labels
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_classes={self.classes and len(self.classes)},'
            f' reduce_zero_label={self.reduce_zero_label})'
        )


@TRANSFORMS.register_module()
class NoLabels(BaseTransform):
    """In the place of `LoadLabels` for photos without label maps: every pixel is `UNLABELLED`.

    Required keys: `img_shape`, `seg_fields`. Added key: `gt_seg_map` (H, W) int32.
    """

    def transform(self, results: dict) -> dict:
        results['gt_seg_map'] = np.full(results['img_shape'], UNLABELLED, np.int32)
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results
