"""What the converters in `tools/dataset_converters` share."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from ..files import made_folder, whole_file
from ..vocabulary.lists import read_text
from .label_files import check_sizes
from .photo_files import photo_header


def lookup(values: dict[int, int], size: int, other: int, dtype: type) -> np.ndarray:
    """Table (size,) that holds `values[i]` at i and `other` elsewhere."""
    table = np.full(size, other, dtype)
    table[list(values)] = list(values.values())
    return table


def convert_all(function: Callable, jobs: Sequence[tuple], nproc: int, what: str) -> list:
    """`[function(*job) for job in jobs]`, in `nproc` processes. A job begins with its source and
    the file that is written.

    Raises:
        FileNotFoundError: no job; `what` says what was looked for.
        ValueError: two jobs would write one file; both sources are named.
    """
    if not jobs:
        raise FileNotFoundError(
            f'found no {what}. Check the folder given and that the archives are unpacked.'
        )
    check_targets(jobs)
    if nproc <= 1:
        return [function(*job) for job in jobs]
    with ProcessPoolExecutor(nproc) as pool:
        return list(pool.map(function, *zip(*jobs, strict=True), chunksize=16))


def make_folders(paths: Iterable[Path]) -> None:
    """The folders of files that are to be written: of none where there is no job."""
    for folder in {path.parent for path in paths}:
        made_folder(folder)


def check_targets(jobs: Iterable[tuple]) -> None:
    """Raises ValueError where two jobs write one file, or files that differ by case alone, which
    are one on many disks."""
    sources = {}
    for job in jobs:
        source, target = job[:2]
        first = sources.setdefault(str(target).casefold(), job)
        if first is not job:
            way = (
                'Name it once in the lists.'
                if first[0] == source
                else 'Rename or remove one of them.'
            )
            raise ValueError(f'{first[0]} and {source} would both be written to {target}. {way}')


def check_size(photo: Path, path: Path, shape: Sequence[int]) -> None:
    """That the labels (H, W, ...) of file `path` lie on their photo, upright by its EXIF
    orientation. Photos that are not there are passed over: some converters need none.

    Raises:
        ValueError: the sizes differ, or the photo is damaged; names the files.
    """
    if photo.is_file():
        check_sizes(str(photo), photo_header(str(photo))[0], str(path), shape)


def read_names(path: Path) -> list[str]:
    """Image names of a list file, one a line (only the first word of a line counts)."""
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist. Unpack it with the data set.')
    return [line.split()[0] for line in read_text(path).splitlines() if line.strip()]


def write_names(names: Iterable[str], path: Path) -> None:
    """One name a line in UTF-8, whole or not at all; the folder is made."""
    made_folder(path.parent)
    with whole_file(path) as partial:
        partial.write_text(''.join(f'{name}\n' for name in names), encoding='utf-8')
