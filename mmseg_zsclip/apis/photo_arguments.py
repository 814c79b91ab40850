"""Which photos the words of a command line name."""

import glob
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from mmengine.logging import print_log

from ..datasets.listing import IMAGE_ENDINGS, files_below, holds_results, is_image
from ..vocabulary.lists import read_text

LEGAL = (
    f'Legal: a file, a folder with images ({", ".join(IMAGE_ENDINGS)}), a pattern such as '
    '"photos/*.jpg", or @LIST, a text file with one of these a line.'
)


def named_photos(words: Sequence[str], out: str | os.PathLike | None = None) -> list[str]:
    """Absolute paths of photos, each once, in the order given; those of a folder by name.

    What `zsclip segment` wrote into a folder below that of a word is no photo.

    Args:
        words: a file; a folder, whose images are meant, those below it too; a pattern with `*`,
            `?`, `[...]` or `**`; or `@LIST`, a text file with one of these a line.
        out: the folder of the results to come, which may lie in one of photos.

    Raises:
        FileNotFoundError: a file or list that does not exist.
        ValueError: a word that names no photo, a list without any.
    """
    out = None if out is None else os.path.abspath(out)
    written, found = cache(holds_results), {}
    for word in expanded(words):
        named, top = [os.path.abspath(path) for path in photos_of(word)], searched(word)
        above = {path: results_above(path, out, top, written) for path in named}
        paths = [path for path, place in above.items() if place is None]
        places = ', '.join(sorted(filter(None, {*above.values()})))
        if named and not paths:
            raise ValueError(
                f'{word!r} names no photo but files of results, in {places}, which are left out. '
                'Name the photos, and give results a folder of their own (--out).'
            )
        if not paths:
            raise ValueError(f'{word!r} names no photo. {LEGAL}')
        if places:
            print_log(f'{len(named) - len(paths)} images of results left out: {places}', 'current')
        found |= dict.fromkeys(paths)
    return list(found)


def results_above(
    path: str, out: str | None, top: str | None, written: Callable[[str], bool]
) -> str | None:
    """The folder of results that a file lies in: `out`, or one that was `written` before, not
    above `top`."""
    folders = list(map(str, Path(path).parents))
    if out in folders:
        return out
    below = folders[: folders.index(top) + 1] if top in folders else []
    return next(filter(written, below), None)


def searched(word: str) -> str | None:
    """The folder in which a word looks for photos; None of a file."""
    word = os.path.expanduser(word)
    if not os.path.exists(word):
        while glob.has_magic(word):
            word = os.path.dirname(word)
    return None if os.path.isfile(word) else os.path.abspath(word)


def expanded(words: Sequence[str]) -> list[str]:
    """Words, and in the place of `@LIST` the lines of that file that are not blank."""
    out = []
    for word in words:
        if not word.startswith('@') or os.path.exists(word):
            out.append(word)
            continue
        if not os.path.isfile(word[1:]):
            raise FileNotFoundError(
                f'there is no list {word[1:]!r} (from {Path.cwd()}). Write a photo a line.'
            )
        lines = [line.strip() for line in read_text(Path(word[1:])).splitlines()]
        lines = [line for line in lines if line]
        if not lines:
            raise ValueError(f'{word!r} names no photo. {LEGAL}')
        out += lines
    return out


def photos_of(word: str) -> list[str]:
    """Of a file, a folder or a pattern; a file's ending does not matter, except in folders."""
    word = os.path.expanduser(word)
    if os.path.isdir(word):
        return [os.path.join(word, name) for name in files_below(word) if is_image(name)]
    if os.path.exists(word):
        return [word]
    if not glob.has_magic(word):
        raise FileNotFoundError(f'there is no photo {word!r} (from {Path.cwd()}). {LEGAL}')
    return sorted(path for path in glob.glob(word, recursive=True) if os.path.isfile(path))
