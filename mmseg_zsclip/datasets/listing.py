"""Which photos a folder or a list of names gives, and what was left out."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from ..vocabulary.lists import read_text

RUN_FILE = 'run.json'  # of `zsclip segment`, in a folder of results
IMAGE_ENDINGS = (
    '.bmp',
    '.heic',
    '.heif',
    '.jpeg',
    '.jpg',
    '.png',
    '.ppm',
    '.tif',
    '.tiff',
    '.webp',
)


def files_below(folder: str) -> list[str]:
    """Relative paths of all files, with '/', sorted; hidden files and folders are passed over, and
    so are folders of results below."""
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        if place != folder and RUN_FILE in names and holds_results(place):
            print_log(f'results of `zsclip segment` are no photos: {place} left out', 'current')
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith('.')]
        inside = os.path.relpath(place, folder)
        found += [
            name if inside == '.' else f'{inside}/{name}'.replace(os.sep, '/')
            for name in names
            if not name.startswith('.')
        ]
    return sorted(found)


def holds_results(folder: str) -> bool:
    """Whether `zsclip segment` wrote into it."""
    try:
        run = json.loads(Path(folder, RUN_FILE).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return False
    return isinstance(run, dict) and {'photos', 'palette'} <= run.keys()


def is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_ENDINGS)


def stem_of(name: str, suffix: str | None) -> str | None:
    """The name without the ending that `suffix` asks for (None: of any image); None where it has
    another one."""
    if suffix is None:
        return name.rpartition('.')[0] if is_image(name) else None
    return name.removesuffix(suffix) if name.endswith(suffix) else None


def photos_in(names: Sequence[str], suffix: str | None) -> dict[str, str]:
    """Photos by stem.

    Raises:
        ValueError: two photos of one stem, which would share a label map.
    """
    found = {}
    for name in names:
        stem = stem_of(name, suffix)
        if stem is None:
            continue
        if stem in found:
            raise ValueError(
                f'{found[stem]} and {name} would both have the label map of {stem!r}. '
                'Rename one of them, or give img_suffix.'
            )
        found[stem] = name
    return found


def left_out(names: Sequence[str], taken: Sequence[str]) -> str:
    """'3 .jpeg, 1 .JPG' of the images among `names` that were not taken; '' if there are none."""
    taken = set(taken)
    endings = Counter(
        name[name.rindex('.') :] for name in names if name not in taken and is_image(name)
    )
    return ', '.join(f'{count} {ending}' for ending, count in sorted(endings.items()))


def listed(ann_file: str, photos: dict[str, str], folder: str) -> dict[str, str]:
    """Photos by stem that a list of names asks for, in its order; a name may have its ending.

    Raises:
        ValueError: a line without a name or photo, or a photo listed twice; names the line.
    """
    by_name = {name: stem for stem, name in photos.items()}
    found, lines = {}, {}
    text = read_text(Path(ann_file)).splitlines()
    while text and not text[-1].strip():
        text.pop()
    for number, line in enumerate(text, 1):
        at, name = f'{ann_file}, line {number}', line.strip()
        stem = name if name in photos else by_name.get(name)
        if not name:
            raise ValueError(f'{at} is empty. One photo a line, without its ending.')
        if stem is None:
            first = name.split()[0]
            columns = (
                ' Only its first word is one: keep that column alone.'
                if first in photos or first in by_name
                else ''
            )
            raise ValueError(
                f'{at}: {name!r} names no photo in {folder}.{columns} One photo a line, '
                'relative to that folder, without its ending.'
            )
        if stem in lines:
            raise ValueError(
                f'{at}: {name!r} is listed in line {lines[stem]} already. Name each photo once.'
            )
        found[stem], lines[stem] = photos[stem], number
    return found
