"""Where what is made from a photo goes, a picture or a label map:
one rule for all that write one."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from ..files import made_folder


class OutputNames:
    """A name for every photo of a data set, which no other photo has.

    It is the photo's place below its data set's image folder, without the ending: `1` in a flat
    folder, `a/1` in sub-folders. Where joined data sets would share names, it is the place below
    the folder that holds all photos; where photos differ by the ending alone, that stays (`1.jpg`).
    Names that differ by case alone are one file on many disks: the second ends in `~2`.

    Args:
        dataset: built, wrapped or not. Without one, names are file stems, and a second photo of the
            same stem is an error.
    """

    def __init__(self, dataset: object | None = None) -> None:
        self.names = {} if dataset is None else names_of_photos(photo_folders(dataset))
        self.photos = {name.casefold(): photo for photo, name in self.names.items()}

    def name(self, img_path: str) -> str:
        """Raises ValueError: a photo that the data set does not list has the name of another."""
        photo = os.path.normpath(img_path)
        if photo not in self.names:
            name = PurePath(photo).stem
            first = self.photos.setdefault(name.casefold(), photo)
            if first != photo:
                raise ValueError(
                    f"what is made from '{photo}' would overwrite what was made from "
                    f"'{first}': both are named {name!r}, as the data set's folders are "
                    'not known here. Test by `zsclip test` or tools/test.py, which keep them.'
                )
            self.names[photo] = name
        return self.names[photo]

    def place(
        self, folder: str | os.PathLike, img_path: str, label_path: str | None = None
    ) -> Path:
        """`folder/<name>.png`, its folder made.

        Args:
            label_path: of the photo's label map, if any.

        Raises:
            ValueError: see `name`; or the photo or its label map is that file.
        """
        path = Path(folder, f'{self.name(img_path)}.png')
        for source in (img_path, label_path):
            if source and path.exists() and os.path.exists(source) and path.samefile(source):
                raise ValueError(
                    f"'{path}' is a file of the data set itself and would be overwritten. Name "
                    f"another folder than '{folder}' for what is made from it."
                )
        made_folder(path.parent)
        return path


def leaves(dataset: object) -> Iterator:
    """The data sets inside wrappers and joined data sets; a plain one is its own."""
    inner = getattr(dataset, 'datasets', None)
    if inner is None and hasattr(dataset, 'dataset'):
        inner = [dataset.dataset]
    if inner is None:
        yield dataset
    for one in inner or ():
        yield from leaves(one)


def photo_folders(dataset: object) -> list[tuple[str | None, list[str]]]:
    """Image folder, None where it has none, and photos of each data set inside."""
    found = []
    for leaf in leaves(dataset):
        if hasattr(leaf, 'get_data_info'):
            prefix = getattr(leaf, 'data_prefix', None) or {}
            photos = [leaf.get_data_info(i).get('img_path') for i in range(len(leaf))]
            found.append((prefix.get('img_path'), [one for one in photos if one]))
    return found


def names_of_photos(folders: Sequence[tuple[str | None, Sequence[str]]]) -> dict[str, str]:
    """Name of every photo by its normalised path, see `OutputNames`.

    Args:
        folders: image folder (or None) and photos, each of one data set.
    """
    places = {}
    for folder, photos in folders:
        for photo, place in places_below(folder, photos).items():
            places.setdefault(photo, place)
    if len(folders) > 1 and shared(without_ending(places)):
        places = places_below(None, list(places))
    names = without_ending(places)
    twice = shared(names)
    names = {photo: places[photo] if name in twice else name for photo, name in names.items()}
    return numbered(places if shared(names) else names)


def places_below(folder: str | None, photos: Sequence[str]) -> dict[str, str]:
    """Normalised path -> the path below `folder`, or below the deepest folder that holds all where
    there is no `folder` or a photo lies outside."""
    parts = {photo: PurePath(photo).parts for photo in map(os.path.normpath, photos)}
    top = PurePath(os.path.normpath(folder)).parts if folder else None
    if top is None or any(one[: len(top)] != top for one in parts.values()):
        parents = [one[:-1] for one in parts.values()]
        top = os.path.commonprefix(parents) if parents else ()
    return {photo: '/'.join(one[len(top) :]) for photo, one in parts.items()}


def without_ending(places: dict[str, str]) -> dict[str, str]:
    return {photo: PurePath(place).with_suffix('').as_posix() for photo, place in places.items()}


def numbered(names: dict[str, str]) -> dict[str, str]:
    """Those that are equal but for their case get a number, in the order given."""
    taken, out = {name.casefold() for name in names.values()}, {}
    used = set()
    for photo, name in names.items():
        number, new = 1, name
        while new.casefold() in used or (number > 1 and new.casefold() in taken):
            number += 1
            new = f'{name}~{number}'
        used.add(new.casefold())
        out[photo] = new
    return out


def shared(names: dict[str, str]) -> set[str]:
    """Names of several photos."""
    return {name for name, count in Counter(names.values()).items() if count > 1}
