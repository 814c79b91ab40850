"""What a visitor gives, read with care: a photo, and words."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..apis.words import listed
from ..datasets.photo_files import DECODE_ERRORS
from ..datasets.photo_pixels import photo_pixels
from ..toy import World

MOST_BYTES = 50_000_000  # of a file
MOST_PIXELS = 6000 * 4000
MOST_CLASSES = 100
EXAMPLES = (  # scene of the toy world, words for it
    (12, 'sand; grass, meadow; sea; boat; star; umbrella'),
    (3, 'sand; road; house; fish; person'),
    (2, 'grass, lawn; sand; road; house; tree'),
)


@dataclass(frozen=True, eq=False)
class Chosen:
    """A photo: what it is called, its upright pixels (H, W, 3) uint8, RGB, and words for it, if it
    is an example."""

    name: str
    pixels: np.ndarray = field(repr=False)
    words: str = ''


def examples() -> list[Chosen]:
    """Photos that every machine has: scenes of the toy world, 384 x 384."""
    world = World('toy', 384)
    return [
        Chosen(f'example {i}', world.scene('test', index).image, words)
        for i, (index, words) in enumerate(EXAMPLES, 1)
    ]


def uploaded(path: str | Path) -> Chosen:
    """The photo in a file.

    Raises:
        ValueError: no image, a damaged one, or one of more than `MOST_PIXELS`, which is seen
            before its pixels are read where Pillow knows the format. The message has the file's
            name without its folder.
    """
    path = Path(path)
    try:
        check_size(path)
        pixels = photo_pixels(path)[..., ::-1]
    except (ValueError, OSError) as error:
        raise ValueError(str(error).replace(str(path), path.name)) from error
    return Chosen(path.name, np.ascontiguousarray(pixels))


def check_size(path: Path) -> None:
    """Refuses a header of more than `MOST_PIXELS`.

    Raises:
        ValueError: with the size.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
    except DECODE_ERRORS:  # `photo_pixels` says what is wrong, or knows the format
        return
    if width * height > MOST_PIXELS:
        raise ValueError(
            f'{path} has {width} x {height} pixels; the page takes {MOST_PIXELS // 10**6} million '
            'at most (6000 x 4000). Make it smaller, or use `zsclip segment`.'
        )


def words_of(text: str) -> list[str]:
    """'sky; grass, meadow', or a class a line -> ['sky', 'grass, meadow']. Never a file's name,
    which a visitor may not read.

    Raises:
        ValueError: no class, or more than `MOST_CLASSES`.
    """
    words = [word.strip() for word in listed(text.replace('\n', ';')) if word.strip()]
    if not words:
        raise ValueError('there is no class. Write at least one: "sky; grass, meadow".')
    if len(words) > MOST_CLASSES:
        raise ValueError(
            f'{len(words)} classes are too many for the page; it takes {MOST_CLASSES} at most. Use '
            '`zsclip segment` for more.'
        )
    return words
