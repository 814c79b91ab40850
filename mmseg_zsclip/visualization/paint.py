"""Label maps as pictures that need no eye for colour: names inside, unseen classes hatched."""

import base64
import io
from collections.abc import Collection, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .fonts import font_for, legible

SCALE = 3
HATCH = 9  # pixels from stripe to stripe
OPAQUE = 0.6  # of colours over a photo
NAMED = 0.012  # share of the picture from which a region gets its name


def paint(
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    unseen: Collection[str],
    names: bool = True,
    scale: int = SCALE,
    photo: np.ndarray | None = None,
) -> Image.Image:
    """A label map in colours, `scale` times enlarged, outlined, with the names of large regions;
    those of unseen classes are striped and their names end with a star.

    Args:
        labels: (H, W) class indices; any other value (ignored, unlabelled) is left white.
        palette: RGB rows 0-255, one a class.
        names: write the names that fit and lie on no other's.
        photo: (H * scale, W * scale, 3) uint8, RGB, seen through the colours, and alone where no
            class is.
    """
    labels = np.kron(labels.astype(np.int32), np.ones((scale, scale), np.int32))
    known = (labels >= 0) & (labels < len(classes))
    colours = np.asarray(palette, np.uint8)
    picture = np.where(known[..., None], colours[np.where(known, labels, 0)], np.uint8(255))
    striped = known & np.isin(labels, [i for i, name in enumerate(classes) if name in unseen])
    rows, columns = np.indices(labels.shape)
    stripes = striped & ((rows + columns) % HATCH < HATCH // 3)
    picture[stripes] = stripe_colours(picture[stripes])
    if photo is not None:
        mixed = np.rint(OPAQUE * picture + (1 - OPAQUE) * photo).astype(np.uint8)
        picture = np.where(known[..., None], mixed, photo)
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    picture[edge] = 25
    image = Image.fromarray(picture)
    if names:
        write_names(image, named_regions(labels, classes, unseen))
    return image


def write_names(image: Image.Image, regions: Sequence[tuple[str, tuple[float, float]]]) -> None:
    """Names inside the picture, elided to its width; one that would cover another is left out."""
    draw, taken = ImageDraw.Draw(image), []
    high = 5 * SCALE
    for name, (x, y) in regions:
        font = font_for(name, 7 * SCALE)
        name = elide(name, font, image.width - 6)
        half = draw.textlength(name, font=font) / 2 + 3
        if not name or image.height < 2 * high:
            continue
        x, y = min(max(x, half), image.width - half), min(max(y, high), image.height - high)
        if all(abs(x - a) >= half + b or abs(y - c) >= 2 * high for a, b, c in taken):
            taken.append((x, half, y))
            draw.text(
                (x, y),
                name,
                (255, 255, 255),
                font,
                anchor='mm',
                stroke_width=2,
                stroke_fill=(20, 20, 20),
            )


def elide(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """`text`, its end replaced by dots where it is wider than `width` pixels; '' if none fits."""
    if font.getlength(text) <= width:
        return text
    kept = next(
        (n for n in range(len(text) - 1, 0, -1) if font.getlength(f'{text[:n]}...') <= width), 0
    )
    return f'{text[:kept]}...' if kept else ''


def stripe_colours(colours: np.ndarray) -> np.ndarray:
    """RGB rows (N, 3) uint8 -> much darker ones of light colours, much lighter ones of dark."""
    light = colours @ np.array([0.30, 0.59, 0.11]) > 110
    return np.where(light[:, None], colours * 0.35, 255 - (255 - colours) * 0.35).astype(np.uint8)


def named_regions(
    labels: np.ndarray, classes: Sequence[str], unseen: Collection[str]
) -> list[tuple[str, tuple[float, float]]]:
    """Name and innermost point (x, y) of every connected region that is large enough."""
    out = []
    for label in np.unique(labels):
        if not 0 <= label < len(classes):
            continue
        _, regions, stats, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8))
        for region in range(1, len(stats)):
            if stats[region, cv2.CC_STAT_AREA] < NAMED * labels.size:
                continue
            inside = np.pad((regions == region).astype(np.uint8), 1)
            depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
            y, x = np.unravel_index(depth.argmax(), depth.shape)
            out.append((short_name(classes, int(label), unseen), (float(x), float(y))))
    return out


def star(name: str, unseen: Collection[str]) -> str:
    """The name, with a star when its class is unseen."""
    return f'{name}*' if name in unseen else name


def short_name(classes: Sequence[str], label: int, unseen: Collection[str]) -> str:
    """What a picture calls a class, see `legible`; with a star when it is unseen."""
    name = legible(classes[label], label)
    return f'{name}*' if classes[label] in unseen else name


def data_uri(image: Image.Image) -> str:
    """The image as PNG inside a URI."""
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', optimize=True)
    return f'data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'
