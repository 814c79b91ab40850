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
from ..datasets.label_files import read_label_file
from ..files import made_folder, whole_file
from .coco import coco_annotations, coco_categories
from .cvat import CVATMasks, write_cvat_zip
from .label_maps import write_label_map
from .labelme import labelme_json
from .polygons import Region
from .yolo import data_yaml, yolo_lines

KEPT = 2**28  # bytes of CVAT's masks in memory; of photos beyond, they are made at the end
Shapes = Callable[[], list[Region]]


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
    """

    def __init__(self, out: Path, classes: Sequence[str], palette: Sequence[Sequence[int]]) -> None:
        self.out, self.classes, self.palette = out, classes, palette

    def place(self, photo: Photo) -> Path | None:
        """The file of one photo; None where the format has one for all."""
        return None

    @abstractmethod
    def write(self, photo: Photo, labels: np.ndarray, shapes: Shapes) -> None:
        """What there is to write of one photo, its files each whole or not at all.

        Args:
            labels: (H, W) integers; those outside `0..C-1` are of no class.
            shapes: gives the `regions` of the labels; several formats share them.
        """

    @abstractmethod
    def finish(self, photos: Sequence[Photo], labels_of: Callable[[Photo], np.ndarray]) -> None:
        """The files of all photos, whole or not at all."""

    def missing(self, photo: Photo) -> bool:
        """Whether `place` is not there yet."""
        place = self.place(photo)
        return place is not None and not place.exists()


class PNGWriter(Writer):
    """`png/<name>.png`, see `label_maps`, and `png/classes.txt`. The other formats can be made
    from it."""

    def place(self, photo: Photo) -> Path:
        return self.out / 'png' / f'{photo.name}.png'

    def write(self, photo: Photo, labels: np.ndarray, shapes: Shapes) -> None:
        write_label_map(labels, made(self.place(photo)), self.palette)

    def read(self, photo: Photo) -> np.ndarray:
        """(H, W) uint8 or uint16; no class is 255 or 65535."""
        return read_label_file(str(self.place(photo)))

    def finish(self, photos: Sequence[Photo], labels_of: Callable[[Photo], np.ndarray]) -> None:
        write_names(self.classes, self.out / 'png' / 'classes.txt')


class LabelmeWriter(Writer):
    """`labelme/<name>.json`, which names its photo as seen from there."""

    def place(self, photo: Photo) -> Path:
        return self.out / 'labelme' / f'{photo.name}.json'

    def write(self, photo: Photo, labels: np.ndarray, shapes: Shapes) -> None:
        place = made(self.place(photo))
        content = labelme_json(
            shapes(), labels.shape, self.classes, seen_from(place.parent, photo.path)
        )
        write_text(place, json.dumps(content))

    def finish(self, photos: Sequence[Photo], labels_of: Callable[[Photo], np.ndarray]) -> None:
        write_names(self.classes, self.out / 'labelme' / 'labels.txt')


class YOLOWriter(Writer):
    """`yolo/labels/<name>.txt`, `yolo/images/<name>.*`, a link to the photo, and
    `yolo/data.yaml`."""

    def place(self, photo: Photo) -> Path:
        return self.out / 'yolo' / 'labels' / f'{photo.name}.txt'

    def write(self, photo: Photo, labels: np.ndarray, shapes: Shapes) -> None:
        link(photo.path, self.out / 'yolo' / 'images' / f'{photo.name}{Path(photo.path).suffix}')
        write_text(made(self.place(photo)), yolo_lines(shapes(), labels.shape))

    def finish(self, photos: Sequence[Photo], labels_of: Callable[[Photo], np.ndarray]) -> None:
        write_text(made(self.out / 'yolo' / 'data.yaml'), data_yaml(self.classes))


class COCOWriter(Writer):
    """`coco.json`. `file_name` is the photo's place below the deepest folder that holds all, which
    `info` names."""

    def __init__(self, out: Path, classes: Sequence[str], palette: Sequence) -> None:
        super().__init__(out, classes, palette)
        self.rows = {}

    def write(self, photo: Photo, labels: np.ndarray, shapes: Shapes) -> None:
        self.keep(photo, labels)

    def keep(self, photo: Photo, labels: np.ndarray) -> None:
        self.rows[photo] = labels.shape, coco_annotations(labels, len(self.classes), photo.number)

    def finish(self, photos: Sequence[Photo], labels_of: Callable[[Photo], np.ndarray]) -> None:
        folder = common_folder([photo.path for photo in photos])
        images, annotations = [], []
        for photo in photos:
            if photo not in self.rows:
                self.keep(photo, labels_of(photo))
            (height, width), rows = self.rows[photo]
            file_name = seen_from(folder, photo.path)
            images.append(dict(id=photo.number, file_name=file_name, height=height, width=width))
            annotations += rows
        content = dict(
            info=dict(description='mmseg_zsclip', image_folder=str(folder)),
            licenses=[],
            images=images,
            annotations=annotations,
            categories=coco_categories(self.classes, self.palette),
        )
        write_text(self.out / 'coco.json', json.dumps(content))


class CVATWriter(Writer):
    """`cvat.zip`, and `cvat_labels.json` for the field "Raw" of a CVAT task's labels.

    Raises:
        ValueError: see `CVATMasks`.
    """

    def __init__(self, out: Path, classes: Sequence[str], palette: Sequence) -> None:
        super().__init__(out, classes, palette)
        self.masks = CVATMasks(classes, palette)
        self.kept, self.room = {}, KEPT

    def write(self, photo: Photo, labels: np.ndarray, shapes: Shapes) -> None:
        if self.room > 0:
            self.kept[photo] = self.masks.pngs(labels)
            self.room -= sum(map(len, self.kept[photo]))

    def finish(self, photos: Sequence[Photo], labels_of: Callable[[Photo], np.ndarray]) -> None:
        named = (
            (photo.name, self.kept.get(photo) or self.masks.pngs(labels_of(photo)))
            for photo in photos
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


def common_folder(paths: Sequence[str]) -> Path:
    """The deepest folder that holds all."""
    return Path(os.path.commonpath([os.path.dirname(path) for path in paths]))


def seen_from(folder: str | os.PathLike, path: str) -> str:
    """A path as a folder's file may name it: relative, or on another disk as it is."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return Path(path).as_posix()


def made(path: Path) -> Path:
    """`path`, its folder made."""
    made_folder(path.parent)
    return path


def write_text(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text, encoding='utf-8')


def link(path: str, place: Path) -> None:
    """A link to a file, or a copy where the disk has no links; one that is there stays."""
    if os.path.lexists(place):
        return
    try:
        made(place).symlink_to(path)
    except (OSError, NotImplementedError):
        with whole_file(place) as partial:
            shutil.copyfile(path, partial)
