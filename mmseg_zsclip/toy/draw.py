"""Bands and things painted on a canvas twice the size of the picture, with their labels."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import palette, stuff
from .things import THINGS, turn

SUPER = 2  # canvas pixels per picture pixel


@dataclass(frozen=True)
class Style:
    """How a world is drawn.

    `outline`: least and greatest width of the line around things, in pixels (0 = none).
    `saturation`: of every colour. `period`: size of all textures. `grain`: deviation of the noise
    over the whole picture, of 255. `shadow`: whether things darken towards their lower side.
    """

    outline: tuple[float, float] = (0.7, 1.6)
    saturation: float = 1.0
    period: float = 1.0
    grain: tuple[float, float] = (0.0, 6.0)
    shadow: bool = False


class Canvas:
    """`pixels` (H, W, 3) RGB, `labels` and `numbers` (H, W) of one scene being painted."""

    def __init__(self, size: int, style: Style, rng: np.random.Generator) -> None:
        side = SUPER * size
        self.side, self.style, self.rng = side, style, rng
        # of its own: a larger picture takes more random numbers for textures, not other things
        self.texture = np.random.default_rng(rng.integers(2**62))
        self.unit = side / 256  # textures and lines keep their share of the picture
        self.pixels = np.empty((side, side, 3), np.uint8)
        self.labels = np.full((side, side), 255, np.uint8)
        self.numbers = np.zeros((side, side), np.uint8)

    def fill(self, name: str, label: int) -> None:
        """One texture everywhere."""
        hsv = stuff.colour_of(name, self.rng, self.style.saturation)
        stuff.STUFF[name](self.pixels, hsv, self.style.period * self.unit, self.texture)
        self.labels[:] = label

    def band(self, name: str, label: int, top: float) -> None:
        """A texture from the uneven line at `top` (share of the height) down."""
        rng, side = self.rng, self.side
        edge = top * side + stuff.ridge(name, side, 0.05 * side, rng)
        below = np.arange(side)[:, None] >= edge[None]
        first = int(np.clip(edge.min(), 0, side - 1))
        texture = np.empty((side - first, side, 3), np.uint8)
        hsv = stuff.colour_of(name, rng, self.style.saturation)
        stuff.STUFF[name](texture, hsv, self.style.period * self.unit, self.texture)
        inside = below[first:].view(np.uint8)
        cv2.copyTo(texture, inside, self.pixels[first:])
        cv2.copyTo(np.full_like(inside, label), inside, self.labels[first:])

    def thing(self, name: str, label: int, number: int, colour: str, x, y, length: float) -> None:
        """A thing of `length` pixels of the canvas, centred on (x, y)."""
        rng, style = self.rng, self.style
        body = palette.shade(colour, rng, style.saturation)
        others = [other for other in palette.NAMES if other != colour]
        accent = palette.shade(others[rng.integers(len(others))], rng, style.saturation)
        paint = dict(
            body=palette.tone(body, 1.0),
            accent=palette.tone(accent, 1.0),
            dark=palette.tone(palette.shade('black', rng), 1.0),
            light=palette.tone(palette.shade('white', rng), 1.0),
        )
        matrix = turn(np.clip(rng.normal(0, 0.16), -0.45, 0.45)) * length
        matrix = np.diag(rng.uniform(0.85, 1.15, 2) * (rng.choice([-1, 1]), 1)) @ matrix
        width = rng.uniform(*style.outline) * SUPER * self.unit if style.outline[1] else 0
        line = palette.tone(body, 0.3)
        for part, role in THINGS[name](rng):
            outline = part @ matrix + (x, y)
            fixed = np.round(16 * outline).astype(np.int32)[None]
            cv2.fillPoly(self.pixels, fixed, paint[role], cv2.LINE_AA, shift=4)
            if style.shadow and role in ('body', 'accent'):
                low = np.minimum(fixed[0] + (0, int(0.1 * 16 * length)), fixed[0].max(0))
                cv2.polylines(self.pixels, [low], True, palette.tone(body, 0.7), 2, cv2.LINE_AA, 4)
            thick = max(1, round(width)) if width else 0
            if thick:
                cv2.polylines(self.pixels, fixed, True, line, thick, cv2.LINE_AA, 4)
            for values, value in ((self.labels, label), (self.numbers, number)):
                cv2.fillPoly(values, fixed, value, shift=4)
                if thick:
                    cv2.polylines(values, fixed, True, value, thick, cv2.LINE_8, 4)

    def finish(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Picture (S, S, 3) averaged over the canvas, labels and numbers (S, S) from its pixels."""
        size = self.side // SUPER
        picture = cv2.resize(self.pixels, (size, size), interpolation=cv2.INTER_AREA)
        grain = self.rng.uniform(*self.style.grain)
        noise = self.texture.standard_normal((size, size, 1), np.float32) * grain
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
        return picture, self.labels[::SUPER, ::SUPER].copy(), self.numbers[::SUPER, ::SUPER].copy()
