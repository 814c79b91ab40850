"""Every format as a writer into one folder, for many photos."""

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..datasets.converting import write_names
from ..datasets.label_files import read_colour_labels, read_label_file, write_label_file
from ..files import made_folder, whole_file
from .coco import coco_annotations, coco_categories, panoptic_annotation
from .cvat import CVATMasks, write_cvat_zip
from .found import Found, Instances, Labels, Object, Segments
from .label_maps import write_label_map
from .labelme import labelme_json
from .yolo import data_yaml, yolo_lines

KEPT = 2**28  # bytes of CVAT's masks in memory; of photos beyond, they are made at the end


class Photo(NamedTuple):
    """A photo's absolute path; its name, which no other has; its number, from 1."""

    path: str
    name: str
    number: int


class Writer(ABC):
    """One format, in a folder of all of them.

    Args:
        out: the folder.
        classes: C names.
        palette: C RGB rows, 0-255.
        things: the classes of which each thing is an object.
    """

    def __init__(
        self,
        out: Path,
        classes: Sequence[str],
        palette: Sequence[Sequence[int]],
        things: Sequence[int] = (),
    ) -> None:
        self.out, self.classes, self.palette, self.things = out, classes, palette, things

    def place(self, photo: Photo) -> Path | None:
        """The file of one photo; None where the format has one for all."""
        return None

    @abstractmethod
    def write(self, photo: Photo, found: Found) -> None:
        """What there is to write of one photo, its files each whole or not at all."""

    @abstractmethod
    def finish(self, photos: Sequence[Photo], found_of: Callable[[Photo], Found]) -> None:
        """The files of all photos, whole or not at all."""

    def missing(self, photo: Photo) -> bool:
        """Whether `place` is not there yet."""
        place = self.place(photo)
        return place is not None and not place.exists()


class PNGWriter(Writer):
    """`png/<name>.png`, see `label_maps`, and `png/classes.txt`. The other formats of label maps
    can be made from it."""

    def place(self, photo: Photo) -> Path:
        return self.out / 'png' / f'{photo.name}.png'

    def write(self, photo: Photo, found: Found) -> None:
        write_label_map(found.labels, made(self.place(photo)), self.palette)

    def read(self, photo: Photo) -> Labels:
        """As it was found."""
        return Labels(read_label_file(str(self.place(photo))), len(self.classes))

    def finish(self, photos: Sequence[Photo], found_of: Callable[[Photo], Found]) -> None:
        write_names(self.classes, self.out / 'png' / 'classes.txt')


class IdsWriter(PNGWriter):
    """`png/<name>.png`, the id of each pixel's object as COCO's panoptic PNGs have it, R + 256 G +
    65536 B, and `png/classes.txt`. All formats of segments can be made from it."""

    def write(self, photo: Photo, found: Found) -> None:
        ids = found.ids[..., None] >> (0, 8, 16)
        write_label_file(ids.astype(np.uint8), made(self.place(photo)))

    def read(self, photo: Photo) -> Segments:
        colours = read_colour_labels(str(self.place(photo)))
        return Segments((colours.astype(np.int64) << (0, 8, 16)).sum(axis=2))


class ObjectsWriter(Writer):
    """`objects/<name>.json`: class, score and mask of each object; the other formats of instances
    can be made from it."""

    def place(self, photo: Photo) -> Path:
        return self.out / 'objects' / f'{photo.name}.json'

    def write(self, photo: Photo, found: Found) -> None:
        rows = [
            dict(id=one.id, label=one.label, score=one.score, counts=one.code['counts'].decode())
            for one in found.objects
        ]
        write_text(made(self.place(photo)), json.dumps(dict(size=found.size, objects=rows)))

    def read(self, photo: Photo) -> Instances:
        content = json.loads(self.place(photo).read_text(encoding='utf-8'))
        size, rows = content['size'], content['objects']
        for row in rows:
            row['code'] = dict(size=size, counts=row.pop('counts').encode())
        return Instances([Object(**row) for row in rows], size)

    def finish(self, photos: Sequence[Photo], found_of: Callable[[Photo], Found]) -> None:
        write_names(self.classes, self.out / 'objects' / 'classes.txt')


class LabelmeWriter(Writer):
    """`labelme/<name>.json`, and beside it `labelme/<name>.*`, a link to the photo: labelme lists
    the photos of a folder, and looks there for a file of each one's name."""

    def place(self, photo: Photo) -> Path:
        return self.out / 'labelme' / f'{photo.name}.json'

    def write(self, photo: Photo, found: Found) -> None:
        beside = link(photo, self.out / 'labelme')
        content = labelme_json(found.shapes, found.size, self.classes, beside.name)
        write_text(self.place(photo), json.dumps(content))

    def finish(self, photos: Sequence[Photo], found_of: Callable[[Photo], Found]) -> None:
        write_names(self.classes, self.out / 'labelme' / 'labels.txt')


class YOLOWriter(Writer):
    """`yolo/labels/<name>.txt`, `yolo/images/<name>.*`, a link to the photo, and
    `yolo/data.yaml`."""

    def place(self, photo: Photo) -> Path:
        return self.out / 'yolo' / 'labels' / f'{photo.name}.txt'

    def write(self, photo: Photo, found: Found) -> None:
        link(photo, self.out / 'yolo' / 'images')
        write_text(made(self.place(photo)), yolo_lines(found.shapes, found.size))

    def finish(self, photos: Sequence[Photo], found_of: Callable[[Photo], Found]) -> None:
        write_text(made(self.out / 'yolo' / 'data.yaml'), data_yaml(self.classes))


class COCOWriter(Writer):
    """`coco.json`. `file_name` is the photo's place below the deepest folder that holds all, which
    `info` names."""

    name = 'coco.json'

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.rows = {}

    def write(self, photo: Photo, found: Found) -> None:
        self.rows[photo] = found.size, self.annotations(photo, found)

    def annotations(self, photo: Photo, found: Found) -> list[dict]:
        return coco_annotations(found, photo.number)

    def categories(self) -> list[dict]:
        return coco_categories(self.classes, self.palette)

    def finish(self, photos: Sequence[Photo], found_of: Callable[[Photo], Found]) -> None:
        folder = common_folder([photo.path for photo in photos])
        images, annotations = [], []
        for photo in photos:
            if photo not in self.rows:
                self.write(photo, found_of(photo))
            (height, width), rows = self.rows[photo]
            file_name = Path(photo.path).relative_to(folder).as_posix()
            images.append(dict(id=photo.number, file_name=file_name, height=height, width=width))
            annotations += rows
        content = dict(
            info=dict(description='mmseg_zsclip', image_folder=str(folder)),
            licenses=[],
            images=images,
            annotations=annotations,
            categories=self.categories(),
        )
        write_text(self.out / self.name, json.dumps(content))


class PanopticWriter(COCOWriter):
    """`panoptic.json`, COCO's of panoptic segments, whose folder of masks is `png`."""

    name = 'panoptic.json'

    def annotations(self, photo: Photo, found: Found) -> list[dict]:
        return [panoptic_annotation(found, photo.number, f'{photo.name}.png')]

    def categories(self) -> list[dict]:
        return [
            row | dict(isthing=int(label in self.things))
            for label, row in enumerate(super().categories())
        ]


class CVATWriter(Writer):
    """`cvat.zip`, and `cvat_labels.json` for the field "Raw" of a CVAT task's labels.

    Raises:
        ValueError: see `CVATMasks`.
    """

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.masks = CVATMasks(self.classes, self.palette)
        self.kept, self.room = {}, KEPT

    def write(self, photo: Photo, found: Found) -> None:
        if self.room > 0:
            self.kept[photo] = self.pngs(found)
            self.room -= sum(map(len, self.kept[photo]))

    def pngs(self, found: Found) -> list[bytes]:
        return self.masks.pngs(found.labels, found.places)

    def finish(self, photos: Sequence[Photo], found_of: Callable[[Photo], Found]) -> None:
        named = (
            (photo.name, self.kept.get(photo) or self.pngs(found_of(photo))) for photo in photos
        )
        write_cvat_zip(self.out / 'cvat.zip', named, self.masks)
        labels = [
            dict(name=name, color='#{:02x}{:02x}{:02x}'.format(*colour), attributes=[])
            for name, colour in self.masks.labels.items()
        ]
        write_text(self.out / 'cvat_labels.json', json.dumps(labels, indent=2))


WRITERS = {
    'png': PNGWriter,
    'coco': COCOWriter,
    'cvat': CVATWriter,
    'labelme': LabelmeWriter,
    'yolo': YOLOWriter,
}
OF_TASK = {
    'semantic': WRITERS,
    'instance': WRITERS | dict(png=IdsWriter, objects=ObjectsWriter),
    'panoptic': WRITERS | dict(png=IdsWriter, coco=PanopticWriter),
}
KEEPERS = dict(semantic='png', instance='objects', panoptic='png')  # of all that was found


def common_folder(paths: Sequence[str]) -> Path:
    """The deepest folder that holds all."""
    return Path(os.path.commonpath([os.path.dirname(path) for path in paths]))


def made(path: Path) -> Path:
    """`path`, its folder made."""
    made_folder(path.parent)
    return path


def write_text(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text, encoding='utf-8')


def link(photo: Photo, folder: Path) -> Path:
    """`folder/<name>.*`, a link to the photo as seen from there, or a copy where the disk has no
    links; one that is there stays."""
    place = folder / f'{photo.name}{Path(photo.path).suffix}'
    if os.path.lexists(place):
        return place
    made(place)
    # '..' goes up from where a folder really is, whatever link led to it
    photos = os.path.realpath(os.path.dirname(photo.path))
    try:
        seen = os.path.relpath(photos, os.path.realpath(place.parent))
        place.symlink_to(os.path.join(seen, os.path.basename(photo.path)))
    except (OSError, NotImplementedError, ValueError):  # ValueError: on another disk of Windows
        with whole_file(place) as partial:
            shutil.copyfile(photo.path, partial)
    return place
