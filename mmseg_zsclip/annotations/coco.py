"""JSON of COCO: the mask of each class in each photo, as COCO's run-length code."""

from collections.abc import Sequence

import numpy as np


def coco_annotations(labels: np.ndarray, num_classes: int, image_id: int) -> list[dict]:
    """One annotation for each class of a photo, which decodes to its pixels exactly. Its id
    depends on the photo and the class alone.

    Args:
        labels: (H, W) integers; those outside `0..num_classes-1` are of no class.
        image_id: from 1.
    """
    from pycocotools import mask as codes

    out = []
    for label in np.unique(labels[(labels >= 0) & (labels < num_classes)]).tolist():
        code = codes.encode(np.asfortranarray(labels == label, dtype=np.uint8))
        out.append(
            dict(
                id=(image_id - 1) * num_classes + label + 1,
                image_id=image_id,
                category_id=label + 1,
                segmentation=dict(size=code['size'], counts=code['counts'].decode()),
                area=int(codes.area(code)),
                bbox=codes.toBbox(code).tolist(),
                iscrowd=0,
            )
        )
    return out


def coco_categories(classes: Sequence[str], palette: Sequence[Sequence[int]]) -> list[dict]:
    """Ids from 1, as COCO's evaluation takes 0 for none: label + 1."""
    return [
        dict(id=i, name=name, supercategory='', color=list(map(int, colour)))
        for i, (name, colour) in enumerate(zip(classes, palette, strict=True), 1)
    ]
