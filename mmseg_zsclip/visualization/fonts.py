"""Fonts that have the letters of class names."""

from functools import cache
from pathlib import Path

from PIL import ImageFont

NO_LETTER = '\U0010ffff'  # of no font: drawn as the box that stands for what is missing


def font_for(text: str, size: float) -> ImageFont.FreeTypeFont:
    """Pillow's own; for text with letters that it lacks DejaVu Sans, which is in Matplotlib and has
    those of most alphabets, but no Chinese, Japanese or Korean."""
    return next((font for font in _fonts(size) if _writes(font, text)), _fonts(size)[0])


def legible(name: str, number: int) -> str:
    """The name of a class, or 'class NUMBER' where no font has its letters."""
    return name if any(_writes(font, name) for font in _fonts(15)) else f'class {number}'


@cache
def _fonts(size: float) -> tuple[ImageFont.FreeTypeFont, ...]:
    import matplotlib

    other = Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')
    return ImageFont.load_default(size), ImageFont.truetype(other, size)


def _writes(font: ImageFont.FreeTypeFont, text: str) -> bool:
    return all(_has(font, letter) for letter in set(text) if not letter.isspace())


@cache
def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    drawn, missing = (font.getmask(one) for one in (letter, NO_LETTER))
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))
