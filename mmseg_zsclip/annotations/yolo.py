"""Text of YOLO's segmentation: a line for each region, and `data.yaml`."""

import json
from collections.abc import Sequence

import numpy as np

from .polygons import regions


def yolo_lines(labels: np.ndarray, num_classes: int) -> str:
    """`class x y x y ...` a line, in shares of the width and of the height, see `regions`.

    Args:
        labels: (H, W) integers; those outside `0..num_classes-1` are of no class.
    """
    size = np.array(labels.shape[::-1], float)
    lines = []
    for label, points in regions(labels, num_classes):
        shares = ' '.join(f'{share:.8g}' for share in (points / size).flat)
        lines.append(f'{label} {shares}\n')
    return ''.join(lines)


def data_yaml(classes: Sequence[str]) -> str:
    """The data set that lies in the file's own folder: `images` and `labels`."""
    # A string of JSON is one of YAML, whatever is in it.
    names = ''.join(f'  {i}: {json.dumps(name)}\n' for i, name in enumerate(classes))
    return f'path: .\ntrain: images\nval: images\nnames:\n{names}'
