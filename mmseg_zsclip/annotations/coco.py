"""JSON of COCO: the mask of each class or object in each photo, as COCO's run-length code; and of
its panoptic segments."""

from collections.abc import Sequence

from .found import Found


def coco_annotations(found: Found, image_id: int) -> list[dict]:
    """One annotation for each object of a photo, which decodes to its pixels exactly, with its
    score if it has one. Its id depends on the photo and the object alone.

    Args:
        image_id: from 1.
    """
    from pycocotools import mask as codes

    return [
        dict(
            id=(image_id - 1) * found.span + one.id,
            image_id=image_id,
            category_id=one.label + 1,
            segmentation=dict(size=one.code['size'], counts=one.code['counts'].decode()),
            area=int(codes.area(one.code)),
            bbox=codes.toBbox(one.code).tolist(),
            iscrowd=0,
            **({} if one.score is None else dict(score=one.score)),
        )
        for one in found.objects
    ]


def panoptic_annotation(found: Found, image_id: int, file_name: str) -> dict:
    """The one annotation of a photo, of which `file_name` holds the segments' ids."""
    fields = ('category_id', 'area', 'bbox', 'iscrowd')
    rows = zip(found.objects, coco_annotations(found, image_id), strict=True)
    segments = [dict(id=one.id, **{name: row[name] for name in fields}) for one, row in rows]
    return dict(image_id=image_id, file_name=file_name, segments_info=segments)


def coco_categories(classes: Sequence[str], palette: Sequence[Sequence[int]]) -> list[dict]:
    """Ids from 1, as COCO's evaluation takes 0 for none: label + 1."""
    return [
        dict(id=i, name=name, supercategory='', color=list(map(int, colour)))
        for i, (name, colour) in enumerate(zip(classes, palette, strict=True), 1)
    ]
