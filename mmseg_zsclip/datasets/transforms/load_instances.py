"""The loader of instance maps: which pixels of a class are one thing."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio

from ...registry import TRANSFORMS
from ..label_files import check_sizes

INSTANCES = 'instance_map'


@TRANSFORMS.register_module()
class LoadInstances(BaseTransform):
    """An instance map, which later transforms crop and flip as the label map.

    Required keys: `instance_path`, of a PNG with a number for each thing, 0 for what is none;
    `seg_fields`. Added key: `instance_map` (H, W) int32, which reaches a model where
    `PackSegInputs` packs it (`meta_keys`). Put it behind `LoadLabels`;
    a photo without labels passes.

    Raises:
        KeyError: the data set names no instance maps.
        ValueError: no picture, or of another size than its photo.
    """

    def transform(self, results: dict) -> dict:
        if 'instance_path' not in results:
            if results.get('seg_map_path') is None:  # a photo without truth
                return results
            raise KeyError(
                'LoadInstances needs `instance_path`, which this data set does not give; '
                'take it out of the pipeline.'
            )
        path = results['instance_path']
        content = np.frombuffer(fileio.get(path), np.uint8)
        numbers = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
        if numbers is None or numbers.ndim != 2:
            raise ValueError(f'instance map {path} is no picture of one channel.')
        if 'ori_shape' in results:
            check_sizes(results.get('img_path'), results['ori_shape'], path, numbers.shape)
        results[INSTANCES] = numbers.astype(np.int32)
        results['seg_fields'].append(INSTANCES)
        return results
