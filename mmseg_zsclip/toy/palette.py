"""Colours with names, and the shades in which they are drawn."""

import cv2
import numpy as np

# name -> hue (0-180), saturation and value (0-255), OpenCV's HSV
COLOURS = {
    'red': (178, 215, 215),
    'orange': (12, 225, 240),
    'yellow': (27, 215, 245),
    'green': (60, 190, 165),
    'blue': (112, 200, 205),
    'purple': (140, 165, 170),
    'pink': (165, 105, 245),
    'brown': (11, 160, 115),
    'white': (20, 14, 240),
    'black': (120, 45, 45),
}
NAMES = tuple(COLOURS)
SPREAD = (5, 28, 24)


def to_rgb(hsv: np.ndarray) -> tuple[int, int, int]:
    pixel = np.clip(hsv, (0, 0, 0), (179, 255, 255)).astype(np.uint8).reshape(1, 1, 3)
    return tuple(int(v) for v in cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0])


def shade(name: str, rng: np.random.Generator, saturation: float = 1.0) -> np.ndarray:
    """One shade (3,) HSV of a named colour; `saturation` fades it."""
    hsv = np.array(COLOURS[name]) + rng.uniform(-1, 1, 3) * SPREAD
    hsv[0] %= 180
    hsv[1] *= saturation
    return hsv


def tone(hsv: np.ndarray, value: float) -> tuple[int, int, int]:
    """RGB of a shade made lighter (> 1) or darker (< 1)."""
    h, s, v = hsv
    lighter = max(0.0, value - 1)
    return to_rgb(np.array([h, s * (1 - 0.6 * lighter), v * value + 60 * lighter]))


def any_colour(rng: np.random.Generator, saturation: float = 1.0) -> np.ndarray:
    """HSV of any hue, most of them muted, as ground and sky have."""
    return np.array([rng.uniform(0, 180), rng.uniform(25, 170) * saturation, rng.uniform(80, 235)])
