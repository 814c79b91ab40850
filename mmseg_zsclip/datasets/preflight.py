"""Looks at label files before a run does: values, raw COCO ids, classes that never occur."""
from collections.abc import Sequence

import numpy as np

from .label_files import COCO_HINT, COCO_HOLES, LabelReader

# Among 50 converted COCO-Stuff files the holes' classes (umbrella, spoon, branch, ...) do occur.
ENOUGH_FOR_COCO = 50


def check_label_files(
    paths: Sequence[str],
    num_classes: int,
    reduce_zero_label: bool = False,
    label_map: dict | None = None,
) -> np.ndarray:
    """Pixels of every class, (C + 1,) int64, ignored pixels last.

    Args:
        paths: label files.
        num_classes: C.
        reduce_zero_label: stored 0 is ignored and 1 is class 0.
        label_map: mmseg's map of old to new classes.

    Raises:
        ValueError: no path, an unreadable file, a value outside the classes (all bad files are
            counted, the first five are named), or the raw ids of COCO-Stuff.
    """
    if not paths:
        raise ValueError('no label file to check. Does the data set find any image?')
    reader = LabelReader(num_classes, reduce_zero_label, label_map)
    pixels = np.zeros(num_classes + 1, np.int64)
    bad = []
    for path in paths:
        try:
            labels = reader(str(path))
        except (FileNotFoundError, ValueError) as error:
            bad.append(str(error))
            continue
        labels = np.minimum(labels, num_classes)
        pixels += np.bincount(labels.ravel(), minlength=num_classes + 1)
    if bad:
        more = f'\n... and {len(bad) - 5} more' if len(bad) > 5 else ''
        raise ValueError(
            f'{len(bad)} of {len(paths)} label files are wrong:\n' + '\n'.join(bad[:5]) + more)
    if num_classes == 171 and len(paths) >= ENOUGH_FOR_COCO and not pixels[list(COCO_HOLES)].any():
        raise ValueError(
            f'in {len(paths)} label files no pixel has any of the values'
            f' {", ".join(map(str, COCO_HOLES))}.{COCO_HINT}')
    return pixels
