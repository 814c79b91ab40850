"""Text of YOLO's segmentation: a line for each region or object, and `data.yaml`."""

import json
from collections.abc import Sequence

from .polygons import Region, joined


def yolo_lines(shapes: Sequence[Region], size: tuple[int, int]) -> str:
    """`class x y x y ...` a line, in shares of the width and of the height: a line for each region
    of a class, or for each object.

    Args:
        shapes: see `regions` and `mask_regions`.
        size: (H, W).
    """
    lines = []
    for label, points, _ in joined(shapes):
        shares = ' '.join(f'{share:.8g}' for share in (points / size[::-1]).flat)
        lines.append(f'{label} {shares}\n')
    return ''.join(lines)


def data_yaml(classes: Sequence[str]) -> str:
    """The data set that lies in the file's own folder: `images` and `labels`. A `path` is left out:
    Ultralytics takes that folder then, and a `path` of "." from where it is called."""
    # A string of JSON is one of YAML, whatever is in it.
    names = ''.join(f'  {i}: {json.dumps(name)}\n' for i, name in enumerate(classes))
    return f'train: images\nval: images\nnames:\n{names}'
