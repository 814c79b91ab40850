"""JSON of labelme, a file beside or away from its photo."""

from collections.abc import Sequence

import numpy as np

from .polygons import regions

VERSION = '5.5.0'  # the newest whose fields these are


def labelme_json(labels: np.ndarray, classes: Sequence[str], image_path: str) -> dict:
    """What labelme opens: a polygon for each region, see `regions`. A pixel of no class lies in
    none.

    Args:
        labels: (H, W) integers; those outside `0..C-1` are of no class.
        classes: C names.
        image_path: the photo, as seen from the JSON's folder.
    """
    height, width = labels.shape
    return dict(
        version=VERSION,
        flags={},
        shapes=[
            dict(
                label=classes[label],
                points=points.tolist(),
                group_id=None,
                description='',
                shape_type='polygon',
                flags={},
                mask=None,
            )
            for label, points in regions(labels, len(classes))
        ],
        imagePath=image_path,
        imageData=None,
        imageHeight=height,
        imageWidth=width,
    )
