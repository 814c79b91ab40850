"""Fourteen things, each a function from random numbers to parts in a box of about [-0.5, 0.5]^2.

A part is a polygon (n, 2), x to the right and y down, and what it is painted in: 'body' (the
thing's named colour), 'accent' (any other colour), 'dark' or 'light'.
Proportions vary with every draw.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

Part = tuple[np.ndarray, str]
Rng = np.random.Generator


def points(*xy: float) -> np.ndarray:
    return np.array(xy, dtype=float).reshape(-1, 2)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return points(left, top, right, top, right, bottom, left, bottom)


def ellipse(x: float, y: float, rx: float, ry: float, begin=0.0, end=1.0, n=22) -> np.ndarray:
    """From `begin` to `end` of a turn, clockwise from the right."""
    angle = 2 * np.pi * np.linspace(begin, end, n, endpoint=end - begin < 1)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], 1)


def house(rng: Rng) -> list[Part]:
    w, eaves = rng.uniform(0.3, 0.42), rng.uniform(-0.15, 0.02)
    over, top = w + rng.uniform(0.04, 0.1), -0.5
    door, at = rng.uniform(0.06, 0.1), rng.uniform(-0.1, 0.1)
    parts = [
        (box(-w, eaves, w, 0.5), 'body'),
        (points(-over, eaves, rng.uniform(-0.1, 0.1), top, over, eaves), 'accent'),
        (box(at - door, 0.5 - rng.uniform(0.22, 0.32), at + door, 0.5), 'dark'),
    ]
    for x in (-0.68 * w, 0.68 * w):
        if rng.random() < 0.7:
            y = eaves + 0.14
            parts.append((box(x - 0.06, y - 0.06, x + 0.06, y + 0.06), 'light'))
    return parts


def tree(rng: Rng) -> list[Part]:
    trunk, foot = rng.uniform(0.05, 0.09), rng.uniform(0.0, 0.15)
    parts = [(box(-trunk, foot - 0.05, trunk, 0.5), 'accent')]
    if rng.random() < 0.4:  # a fir: three tiers
        for level in range(3):
            y, w = -0.5 + 0.2 * level, 0.2 + 0.09 * level
            parts.append((points(0, y, w, y + 0.33, -w, y + 0.33), 'body'))
        return parts
    count = rng.integers(6, 9)
    angle = np.linspace(0, 2 * np.pi, 64)
    radius = 1 + 0.1 * np.abs(np.sin(count * angle / 2 + rng.uniform(0, 3)))
    rx, ry = rng.uniform(0.28, 0.4), rng.uniform(0.26, 0.32)
    crown = np.stack([rx * radius * np.cos(angle), foot - 0.2 + ry * radius * np.sin(angle)], 1)
    return [*parts, (crown, 'body')]


def car(rng: Rng) -> list[Part]:
    roof, front, back = rng.uniform(-0.32, -0.22), rng.uniform(0.1, 0.22), rng.uniform(-0.34, -0.2)
    cabin = points(back - 0.1, -0.04, back, roof, front, roof, front + 0.14, -0.04)
    hull = points(-0.5, 0.17, -0.5, -0.02, -0.44, -0.06, 0.42, -0.06, 0.5, 0.04, 0.5, 0.17)
    middle, wheel = (back + front) / 2, rng.uniform(0.1, 0.13)
    parts = [(cabin, 'body'), (hull, 'body')]
    for left, right in ((back, middle - 0.02), (middle + 0.02, front)):
        parts.append((box(left, roof + 0.06, right, -0.07), 'light'))
    for x in (-0.29, 0.29):
        parts += [(ellipse(x, 0.18, wheel, wheel), 'dark'), (ellipse(x, 0.18, 0.04, 0.04), 'light')]
    return parts


def boat(rng: Rng) -> list[Part]:
    deck, bow = rng.uniform(0.16, 0.24), rng.uniform(0.4, 0.5)
    hull = points(-0.46, deck, bow, deck, bow - 0.16, 0.46, -0.32, 0.46)
    mast = rng.uniform(-0.1, 0.06)
    sail = points(
        mast + 0.03, -0.46, mast + rng.uniform(0.3, 0.4), deck - 0.06, mast + 0.03, deck - 0.06
    )
    parts = [
        (hull, 'body'),
        (box(mast - 0.015, -0.5, mast + 0.015, deck), 'dark'),
        (sail, 'accent'),
    ]
    if rng.random() < 0.7:
        jib = points(mast - 0.03, -0.38, mast - 0.03, deck - 0.06, mast - 0.3, deck - 0.06)
        parts.append((jib, 'body'))
    return parts


def balloon(rng: Rng) -> list[Part]:
    rx, ry = rng.uniform(0.25, 0.32), rng.uniform(0.3, 0.35)
    knot = -0.5 + 2 * ry
    y = np.linspace(knot, 0.5, 8)
    x = 0.04 * np.sin(np.linspace(0, rng.uniform(3, 7), 8))
    string = np.concatenate([np.stack([x - 0.012, y], 1), np.stack([x + 0.012, y], 1)[::-1]])
    return [
        (string, 'dark'),
        (points(0, knot - 0.02, 0.05, knot + 0.06, -0.05, knot + 0.06), 'body'),
        (ellipse(0, -0.5 + ry, rx, ry), 'body'),
        (ellipse(-0.4 * rx, -0.5 + 0.6 * ry, 0.05, 0.09), 'light'),
    ]


def cloud(rng: Rng) -> list[Part]:
    count = rng.integers(3, 6)
    x = np.linspace(-0.34, 0.34, count)
    bumps = [
        (x[i], rng.uniform(-0.1, 0.02) - 0.08 * (0 < i < count - 1), rng.uniform(0.15, 0.2))
        for i in range(count)
    ]
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    outline = []
    for a in angle:  # the farthest reach of any bump in each direction
        d = np.array([np.cos(a), np.sin(a)])
        reach = []
        for bx, by, r in bumps:
            along, off = bx * d[0] + by * d[1], bx * d[1] - by * d[0]
            if abs(off) < r:
                reach.append(along + np.sqrt(r * r - off * off))
        outline.append(d * max(reach, default=0.1))
    outline = np.array(outline)
    outline[:, 1] = np.minimum(outline[:, 1], 0.13)
    return [(outline * (1.0, 1.15), 'body')]


def flower(rng: Rng) -> list[Part]:
    petals, y = rng.integers(5, 8), -0.2
    length, core = rng.uniform(0.17, 0.2), rng.uniform(0.08, 0.11)
    lean = rng.uniform(-0.08, 0.08)
    parts = [(points(-0.02, y, 0.02, y, lean + 0.025, 0.5, lean - 0.025, 0.5), 'accent')]
    for side in (-1, 1):
        if rng.random() < 0.75:
            leaf = ellipse(0, 0, 0.12, 0.045) @ turn(-side * 0.5) + (side * 0.12, 0.22)
            parts.append((leaf, 'accent'))
    for k in range(petals):
        angle = 2 * np.pi * k / petals + rng.uniform(-0.1, 0.1)
        petal = (ellipse(0.16, 0, length * 0.75, 0.085) @ turn(-angle)) + (0, y)
        parts.append((petal, 'body'))
    return [*parts, (ellipse(0, y, core, core), 'light' if rng.random() < 0.5 else 'dark')]


def turn(angle: float) -> np.ndarray:
    """Matrix for row vectors."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def fish(rng: Rng) -> list[Part]:
    ry, tail = rng.uniform(0.17, 0.24), rng.uniform(0.16, 0.22)
    parts = [
        (points(0.24, 0, 0.5, -tail, 0.43, 0, 0.5, tail), 'body'),
        (points(-0.1, -0.8 * ry, 0.14, -ry - 0.1, 0.16, -0.6 * ry), 'accent'),
        (ellipse(-0.1, 0, 0.38, ry), 'body'),
    ]
    for k in range(rng.integers(1, 4)):
        x = -0.12 + 0.12 * k
        parts.append((ellipse(x, 0, 0.025, 0.6 * ry), 'accent'))
    return [
        *parts,
        (ellipse(-0.32, -0.05, 0.05, 0.05), 'light'),
        (ellipse(-0.33, -0.05, 0.025, 0.025), 'dark'),
    ]


def bird(rng: Rng) -> list[Part]:
    head, lift = rng.uniform(0.12, 0.15), rng.uniform(-0.3, -0.24)
    parts = [
        (box(-0.07, 0.2, -0.04, 0.48), 'dark'),
        (box(0.07, 0.2, 0.1, 0.48), 'dark'),
        (points(0.2, 0.02, 0.5, rng.uniform(-0.14, -0.02), 0.46, 0.14, 0.2, 0.14), 'body'),
        (points(-0.33, lift - 0.03, -0.5, lift + 0.04, -0.33, lift + 0.08), 'accent'),
        (ellipse(0.02, 0.06, 0.29, 0.2), 'body'),
        (ellipse(-0.22, lift, head, head), 'body'),
    ]
    wing = points(-0.06, 0.0, 0.26, rng.uniform(-0.02, 0.06), 0.06, 0.2)
    return [*parts, (wing, 'accent'), (ellipse(-0.26, lift - 0.02, 0.025, 0.025), 'dark')]


def star(rng: Rng) -> list[Part]:
    tips, inner = rng.choice([5, 5, 5, 6]), rng.uniform(0.19, 0.25)
    angle = np.pi * np.arange(2 * tips) / tips - np.pi / 2
    radius = np.where(np.arange(2 * tips) % 2, inner, 0.5)
    return [(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), 'body')]


def person(rng: Rng) -> list[Part]:
    w, waist = rng.uniform(0.12, 0.16), rng.uniform(0.1, 0.16)
    parts = []
    for side in (-1, 1):
        shoulder = np.array([side * w, -0.17])
        angle = rng.uniform(-0.9, 1.1)
        hand = shoulder + 0.26 * np.array([side * np.cos(angle), np.sin(angle)])
        across = np.array([0.03, 0.03])
        parts.append(
            (np.stack([shoulder - across, hand - across, hand + across, shoulder + across]), 'body')
        )
        foot = side * rng.uniform(0.06, 0.15)
        parts.append(
            (
                points(
                    side * 0.02,
                    waist,
                    side * w,
                    waist,
                    foot + side * 0.05,
                    0.5,
                    foot - side * 0.04,
                    0.5,
                ),
                'dark',
            )
        )
    parts.append(
        (points(-w, -0.2, w, -0.2, 0.85 * w, waist + 0.03, -0.85 * w, waist + 0.03), 'body')
    )
    parts.append((ellipse(0, -0.34, 0.12, 0.14), 'accent'))
    if rng.random() < 0.6:
        parts.append((ellipse(0, -0.37, 0.13, 0.13, 0.5, 1.0), 'dark'))
    return parts


def umbrella(rng: Rng) -> list[Part]:
    rim, top = rng.uniform(-0.08, 0.02), -0.48
    x = np.linspace(-0.5, 0.5, 5)
    dome = ellipse(0, rim, 0.5, rim - top, 0.5, 1.0, 24)
    scallops = [ellipse((a + b) / 2, rim, (b - a) / 2, 0.05, 0.5, 1.0, 7) for a, b in pairwise(x)]
    canopy = np.concatenate([dome, np.concatenate(scallops)[::-1]])
    middle = np.concatenate([points(-0.25, rim - 0.02, 0, top), points(0.25, rim - 0.02)])
    hook = np.concatenate(
        [ellipse(0.08, 0.42, 0.1, 0.08, 0.0, 0.5, 9), ellipse(0.08, 0.42, 0.06, 0.045, 0.5, 0.0, 9)]
    )
    return [
        (box(-0.02, top + 0.05, 0.02, 0.44), 'dark'),
        (hook, 'dark'),
        (canopy, 'body'),
        (middle, 'accent' if rng.random() < 0.6 else 'body'),
    ]


def mushroom(rng: Rng) -> list[Part]:
    rim, w = rng.uniform(-0.06, 0.06), rng.uniform(0.09, 0.14)
    cap = np.concatenate(
        [ellipse(0, rim, 0.48, rim + 0.48, 0.5, 1.0), ellipse(0, rim, 0.48, 0.06, 0.0, 0.5, 9)]
    )
    parts = [(points(-w, rim, w, rim, 1.3 * w, 0.48, -1.3 * w, 0.48), 'light'), (cap, 'body')]
    for x, y in ((-0.24, 0.35), (0.0, 0.62), (0.24, 0.35), (0.02, 0.2)):
        if rng.random() < 0.85:
            r = rng.uniform(0.045, 0.07)
            parts.append((ellipse(x, rim - y * (rim + 0.48), r, r), 'light'))
    return parts


def lamp(rng: Rng) -> list[Part]:
    top, rim, w = rng.uniform(0.12, 0.2), rng.uniform(-0.14, -0.04), rng.uniform(0.28, 0.36)
    foot = rng.uniform(0.16, 0.24)
    return [
        (box(-0.025, rim, 0.025, 0.46), 'dark'),
        (points(-foot, 0.5, -0.6 * foot, 0.42, 0.6 * foot, 0.42, foot, 0.5), 'accent'),
        (points(-top, -0.5, top, -0.5, w, rim, -w, rim), 'body'),
    ]


THINGS: dict[str, Callable[[Rng], list[Part]]] = {
    thing.__name__: thing
    for thing in (
        house, tree, car, boat, balloon, cloud, flower, fish, bird, star, person, umbrella,
        mushroom, lamp,
    )
}  # fmt: skip
