"""Answers as HTML without any file: pictures and downloads are `data:` addresses. Whatever a
visitor wrote is escaped."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from PIL import Image

from ..apis.segmentation import Segmentation, resampled, small_photo
from .answers import Panel
from .inputs import Chosen

TYPES = {'.png': 'image/png', '.json': 'application/json'}


def address(content: bytes, kind: str) -> str:
    return f'data:{kind};base64,{base64.b64encode(content).decode()}'


def picture(image: Image.Image, kind: str = 'PNG') -> str:
    """The address of an image."""
    file = io.BytesIO()
    image.save(file, kind)
    return address(file.getvalue(), f'image/{kind.lower()}')


def colours(found: Segmentation) -> Image.Image:
    """The classes' colours over the photo that a result keeps, RGBA; nothing where no class is."""
    labels = resampled(found.labels, found.photo.shape[:2]).astype(np.int64)
    known = labels < len(found.classes)
    rows = np.zeros((len(found.classes) + 1, 4), np.uint8)
    rows[:-1, :3], rows[:-1, 3] = found.palette, 255
    return Image.fromarray(rows[np.where(known, labels, len(found.classes))])


def stack(name: str, size: tuple[int, int], photo: np.ndarray, layer: str = '') -> str:
    """A photo of `size` (height, width) pixels, shown as `photo` (h, w, 3) RGB, perhaps smaller,
    below a layer. The shown aspect is that of `size`."""
    height, width = size
    return (
        f'<div class="stack" data-width="{width}" data-height="{height}" '
        f'style="--aspect: {width / height}">'
        f'<img class="photo" alt="{escape(name)}" src="{picture(Image.fromarray(photo), "JPEG")}">'
        f'{layer}<span class="cross"></span></div>'
    )


def examples_view(photos: Sequence[Chosen]) -> str:
    """Photos as buttons, which carry their index."""
    buttons = ''.join(
        f'<button type="button" data-index="{i}" aria-label="{escape(photo.name)}">'
        f'<img alt="" src="{picture(Image.fromarray(photo.pixels), "JPEG")}"></button>'
        for i, photo in enumerate(photos)
    )
    return f'<div class="row">{buttons}</div>'


def chosen_view(photo: Chosen) -> str:
    """The photo alone, below its name and size."""
    size = photo.pixels.shape[:2]
    shown = small_photo(photo.pixels[..., ::-1])
    return (
        f'<div class="panels"><figure><figcaption>{escape(photo.name)}, {size[1]} x {size[0]}'
        f'</figcaption>{stack(photo.name, size, shown)}</figure></div>'
    )


def panels_view(panels: Sequence[Panel], photo: Chosen, files: Sequence[Mapping]) -> str:
    """Answers side by side, each with its legend and its files, below a slider for the colours."""
    inside = ''.join(panel_view(one, photo, own) for one, own in zip(panels, files, strict=True))
    return (
        '<label class="strength">colours <input type="range" min="0" max="1" step="0.05" '
        f'value="0.6" class="opacity" aria-label="strength of the colours"></label>'
        f'<div class="panels">{inside}</div>'
    )


def panel_view(panel: Panel, photo: Chosen, files: Mapping[str, bytes]) -> str:
    found = panel.found
    layer = f'<img class="colours" alt="" src="{picture(colours(found))}">'
    links = ''.join(
        f'<a download="{escape(name)}" href="{address(content, kind_of(name))}">{escape(name)}</a>'
        for name, content in files.items()
    )
    return (
        f'<figure><figcaption>{escape(panel.model)}: {panel.seconds:.1f} s, confidence '
        f'{found.confidence:.2f}</figcaption>'
        f'{stack(photo.name, found.labels.shape, found.photo, layer)}'
        f'<ul class="legend">{legend(found)}</ul><p class="files">{links}</p></figure>'
    )


def kind_of(name: str) -> str:
    return TYPES[name[name.rindex('.') :]]


def legend(found: Segmentation) -> str:
    """A class a line, those with most pixels first: colour, name, share of the photo."""
    counts = np.bincount(found.labels.ravel(), minlength=len(found.classes))[: len(found.classes)]
    shares = counts / found.labels.size
    return ''.join(
        f'<li>{swatch(found.palette[i])}{escape(found.classes[i])} '
        f'<span class="share">{100 * shares[i]:.0f} %</span></li>'
        for i in np.argsort(-shares, kind='stable').tolist()
    )


def swatch(colour: Sequence[int]) -> str:
    return '<span class="swatch" style="background: rgb({}, {}, {})"></span>'.format(*colour)


def scores_view(panels: Sequence[Panel], x: int, y: int) -> str:
    """Scores of every class at a pixel, best first, a table a model."""
    tables = []
    for panel in panels:
        scores = panel.scores_at(x, y)
        best, least = max(scores.values()), min(scores.values())
        rows = ''.join(
            f'<tr><td>{swatch(panel.found.palette[panel.found.classes.index(name)])}{escape(name)}'
            f'</td><td class="score">{score:.4f}</td><td class="bar"><span style="width: '
            f'{100 * (score - least) / max(best - least, 1e-12):.0f}%"></span></td></tr>'
            for name, score in scores.items()
        )
        title = f'{escape(panel.model)} at ({x}, {y})'
        tables.append(f'<table><caption>{title}</caption>{rows}</table>')
    return f'<div class="tables">{"".join(tables)}</div>'


def message(text: str, wrong: bool = False) -> str:
    """A line above the pictures; read out at once by screen readers where something is wrong."""
    role, kind = ('alert', 'wrong') if wrong else ('status', 'right')
    return f'<p class="message {kind}" role="{role}">{escape(text)}</p>'
