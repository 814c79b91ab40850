"""JSON of labelme, a file beside or away from its photo."""

from collections.abc import Sequence

from .polygons import Region

VERSION = '5.5.0'  # the newest whose fields these are


def labelme_json(
    shapes: Sequence[Region], size: tuple[int, int], classes: Sequence[str], image_path: str
) -> dict:
    """What labelme opens.

    Args:
        shapes: see `regions` and `mask_regions`: the parts of an object have one `group_id`.
        size: (H, W).
        classes: names.
        image_path: the photo, as seen from the JSON's folder.
    """
    height, width = size
    return dict(
        version=VERSION,
        flags={},
        shapes=[
            dict(
                label=classes[label],
                points=points.tolist(),
                group_id=group,
                description='',
                shape_type='polygon',
                flags={},
                mask=None,
            )
            for label, points, group in shapes
        ],
        imagePath=image_path,
        imageData=None,
        imageHeight=height,
        imageWidth=width,
    )
