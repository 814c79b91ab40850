"""What pre-training reads from disk: photos with label maps, or a list of photos with captions."""

import csv
import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.label_files import LabelReader, check_sizes
from ...datasets.photo_files import read_photo


@dataclass
class Photo:
    """One photo in memory. `pixels`: (H, W, 3) uint8 RGB; `labels`: (H, W) integers or None."""

    path: Path
    pixels: np.ndarray
    labels: np.ndarray | None = None
    captions: tuple[str, ...] = ()


def find_images(folder: Path, suffix: str, include: list[str]) -> list[Path]:
    """Files of `folder` and below that end in `suffix` and match one of the globs `include`.

    Raises:
        ValueError: no such folder; a glob that matches nothing (the names there are shown).
    """
    if not folder.is_dir():
        raise ValueError(
            f'image folder {str(folder)!r} does not exist; give the folder that holds the photos'
        )
    names = sorted(path for path in folder.rglob(f'*{suffix}') if path.is_file())
    if not names:
        raise ValueError(
            f"no file under {str(folder)!r} ends in {suffix!r}; set --image-suffix to the photos'"
        )
    chosen = set()
    for pattern in include or ['*']:
        matched = [path for path in names if fnmatch.fnmatch(path.name, pattern)]
        if not matched:
            raise ValueError(
                f'--include {pattern!r} matched none of {len(names)} images in {str(folder)!r}; '
                f'their names are like {", ".join(path.name for path in names[:3])}'
            )
        chosen.update(matched)
    return sorted(chosen)


def load_labelled(
    images: Path,
    labels: Path,
    classes: int,
    include: list[str] = (),
    image_suffix: str = '.jpg',
    label_suffix: str = '.png',
    reduce_zero: bool = False,
) -> list[Photo]:
    """Photos of an mmseg-style pair of folders (same relative names), all in memory; read and
    checked as every data set's, see `read_photo`, `LabelReader` and `check_sizes`."""
    reader, photos = LabelReader(classes, reduce_zero), []
    for path in find_images(images, image_suffix, include):
        name = str(path.relative_to(images))[: -len(image_suffix)] + label_suffix
        photo = Photo(path, read_photo(str(path), 'rgb'), reader(str(labels / name)))
        check_sizes(str(path), photo.pixels.shape, str(labels / name), photo.labels.shape)
        photos.append(photo)
    return photos


def caption_rows(path: Path) -> list[tuple[str, str]]:
    """(image, caption) pairs of a .tsv (two columns) or .jsonl (keys image, caption) file."""
    rows = []
    with path.open(newline='') as file:
        if path.suffix == '.jsonl':
            for number, line in enumerate(file, 1):
                row = json.loads(line)
                if not {'image', 'caption'} <= set(row):
                    raise ValueError(
                        f'{path}, line {number}: keys are {sorted(row)};'
                        ' expected "image" and "caption"'
                    )
                rows.append((row['image'], row['caption']))
            return rows
        if path.suffix != '.tsv':
            raise ValueError(
                f'caption file {str(path)!r} ends in {path.suffix!r}; legal: .tsv, .jsonl'
            )
        for number, row in enumerate(csv.reader(file, delimiter='\t'), 1):
            if len(row) != 2:
                raise ValueError(
                    f'{path}, line {number}: {len(row)} columns; expected image path, tab, caption'
                )
            rows.append((row[0], row[1]))
    return rows


def load_captioned(path: Path, include: list[str] = ()) -> list[Photo]:
    """Photos of a caption file; image paths are relative to it, lines may share a photo."""
    captions: dict[Path, list[str]] = {}
    for image, caption in caption_rows(path):
        captions.setdefault(path.parent / image, []).append(caption)
    if not captions:
        raise ValueError(f'{str(path)!r} holds no line; write image path, tab, caption')
    chosen = set(captions)
    if include:
        chosen = {
            image for image in captions if any(fnmatch.fnmatch(image.name, p) for p in include)
        }
    if not chosen:
        raise ValueError(
            f'--include {" ".join(include)} matched none of {len(captions)} images of {str(path)!r}'
        )
    return [
        Photo(image, read_photo(str(image), 'rgb'), None, tuple(captions[image]))
        for image in sorted(chosen)
    ]
