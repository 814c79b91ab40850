"""Six kinds of ground and sky, told apart by their texture alone.

A painter fills a canvas (H, W, 3) uint8 RGB in place with its texture in one colour; lengths are
in pixels of the canvas and grow with `period`.
"""

import cv2
import numpy as np

from .palette import any_colour, tone

# usual hue, saturation and value; a third of all bands take any other colour
USUAL = {
    'sky': (105, 110, 230),
    'grass': (50, 170, 140),
    'sea': (104, 170, 170),
    'sand': (20, 90, 220),
    'road': (110, 15, 110),
    'mountain': (15, 60, 130),
}


def colour_of(name: str, rng: np.random.Generator, saturation: float) -> np.ndarray:
    """HSV (3,) of a band."""
    if rng.random() < 0.35:
        return any_colour(rng, saturation)
    hsv = np.array(USUAL[name]) + rng.uniform(-1, 1, 3) * (14, 40, 35)
    hsv[0] %= 180
    hsv[1] = max(0, hsv[1]) * saturation
    return hsv


def sky(canvas: np.ndarray, hsv: np.ndarray, period: float, rng: np.random.Generator) -> None:
    top, bottom = np.array(tone(hsv, 0.85)), np.array(tone(hsv, rng.uniform(1.05, 1.3)))
    ramp = np.linspace(0, 1, len(canvas))[:, None, None]
    canvas[:] = (top + (bottom - top) * ramp).astype(np.uint8)


def strokes(canvas, starts: np.ndarray, ends: np.ndarray, colours, width: int) -> None:
    """Line segments from (n, 2) to (n, 2), an equal share of them in each colour."""
    lines = np.stack([starts, ends], axis=1).astype(np.int32)
    for number, colour in enumerate(colours):
        cv2.polylines(canvas, list(lines[number :: len(colours)]), False, colour, width)


def grass(canvas: np.ndarray, hsv: np.ndarray, period: float, rng: np.random.Generator) -> None:
    canvas[:] = tone(hsv, 0.9)
    h, w = canvas.shape[:2]
    count = int(h * w / (26 * period**2))
    feet = rng.uniform((0, 0), (w, h + 12), (count, 2))
    blades = np.stack([rng.normal(0, 2.5, count), -rng.uniform(7, 15, count)], 1) * period
    strokes(canvas, feet, feet + blades, [tone(hsv, v) for v in (0.6, 1.2, 0.75, 1.4)], 2)


def sea(canvas: np.ndarray, hsv: np.ndarray, period: float, rng: np.random.Generator) -> None:
    canvas[:] = tone(hsv, 0.95)
    h, w = canvas.shape[:2]
    x = np.arange(-4, w + 8, 4)
    gap, length = rng.uniform(9, 13) * period, rng.uniform(20, 34) * period
    height = rng.uniform(2.2, 3.6) * period
    for number, y in enumerate(np.arange(0, h + gap, gap)):
        wave = y + height * np.sin(2 * np.pi * x / length + rng.uniform(0, 6.3))
        colour = tone(hsv, (1.35, 0.72)[number % 2])
        cv2.polylines(canvas, [np.stack([x, wave], 1).astype(np.int32)], False, colour, 2)


def sand(canvas: np.ndarray, hsv: np.ndarray, period: float, rng: np.random.Generator) -> None:
    canvas[:] = tone(hsv, 1.0)
    h, w = canvas.shape[:2]
    count = int(h * w / (34 * period**2))
    grains = rng.uniform((0, 0), (w, h), (count, 2))
    width = max(2, round(3 * period))
    strokes(canvas, grains, grains + 1, [tone(hsv, v) for v in (0.65, 1.3, 0.78)], width)


def road(canvas: np.ndarray, hsv: np.ndarray, period: float, rng: np.random.Generator) -> None:
    canvas[:] = tone(hsv, 0.9)
    h, w = canvas.shape[:2]
    gap, dash = rng.uniform(17, 24) * period, rng.uniform(13, 20) * period
    colour = tone(hsv, 1.75) if hsv[2] < 170 else tone(hsv, 0.5)
    for y in np.arange(gap * rng.random(), h, gap):
        x = np.arange(-2 * dash * rng.random(), w, 1.8 * dash)
        left = np.stack([x, np.full_like(x, y)], 1)
        strokes(canvas, left, left + (dash, 0), [colour], max(2, round(3.2 * period)))


def mountain(canvas: np.ndarray, hsv: np.ndarray, period: float, rng: np.random.Generator) -> None:
    canvas[:] = tone(hsv, 0.95)
    h, w = canvas.shape[:2]
    side = rng.uniform(22, 32) * period
    for row, y in enumerate(np.arange(-side, h + side, 0.62 * side)):
        x = np.arange(-side * (1 + 0.5 * (row % 2)), w + side, side)
        tips = np.stack([x, np.full_like(x, y)], 1) + rng.uniform(-0.14, 0.14, (len(x), 2)) * side
        feet = tips + (0.12 * side, side)
        lit, shadow = tips + (-0.48 * side, 0.9 * side), tips + (0.55 * side, 0.85 * side)
        for foot, value in ((lit, 1.3), (shadow, 0.62)):
            facets = np.stack([tips, feet, foot], 1).astype(np.int32)
            cv2.fillPoly(canvas, list(facets), tone(hsv, value))


STUFF = {
    'sky': sky, 'grass': grass, 'sea': sea, 'sand': sand, 'road': road, 'mountain': mountain,
}  # fmt: skip


def ridge(name: str, width: int, height: float, rng: np.random.Generator) -> np.ndarray:
    """Upper edge (width,) of a band around 0, positive downwards, within about +-`height`."""
    x = np.arange(width) / width
    if name == 'mountain':
        count = rng.integers(2, 5)
        at = np.linspace(0, 1, 2 * count + 1)
        at[1:-1] += rng.uniform(-0.25, 0.25, 2 * count - 1) / (2 * count)
        level = np.where(np.arange(2 * count + 1) % 2, -1.0, 0.9) * rng.uniform(
            0.4, 1, 2 * count + 1
        )
        return 1.6 * height * np.interp(x, at, level)
    slope = rng.uniform(-1, 1) * (x - 0.5)
    waves = np.sin(2 * np.pi * (rng.uniform(0.5, 1.6) * x + rng.random()))
    flat = 0.25 if name in ('sea', 'road') else 1.0
    return flat * height * (0.8 * slope + 0.5 * waves * rng.random())
