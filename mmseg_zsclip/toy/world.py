"""Scenes of a cartoon world with their whole truth, drawn from a seed."""

from dataclasses import dataclass, field

import numpy as np

from ..vocabulary.lists import canonical, load_classes
from .draw import Canvas, Style
from .palette import NAMES
from .stuff import STUFF
from .things import THINGS

SPLITS = ('train', 'val', 'test')
SIZES = (32, 512)
NO_CLASS = 255
STYLES = {
    'toy': Style(),
    'toy_target': Style(outline=(0, 0), saturation=0.6, period=1.25, grain=(3, 10), shadow=True),
}
# what the target world draws for its classes; any other class is drawn under its own name
TARGET = {
    'meadow': ('grass',), 'ocean': ('sea',), 'beach': ('sand',), 'street': ('road',),
    'hill': ('mountain',), 'cottage': ('house',), 'vehicle': ('car', 'boat'),
    'plant': ('tree', 'flower'), 'animal': ('fish', 'bird'), 'human': ('person',),
    'toadstool': ('mushroom',), 'lantern': ('lamp',),
}  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """One object: its class (index and name) and the named colour of its body."""

    label: int
    name: str
    colour: str


@dataclass(frozen=True)
class Scene:
    """A picture and everything that is true of it.

    `image`: (S, S, 3) uint8 RGB. `semantic`: (S, S) uint8 class index (255: none). `instance`:
    (S, S) uint8, 0 where there is no thing, n for `things[n - 1]`; each has at least one pixel.
    """

    image: np.ndarray
    semantic: np.ndarray
    instance: np.ndarray
    things: list[Thing]

    def panoptic(self) -> tuple[np.ndarray, list[dict]]:
        """Segment ids (S, S) int32, 0 where there is no class, and a dict for each segment.

        Keys: `id` (from 1), `label`, `isthing`, `area` (pixels). Each stuff class is one segment.
        """
        ids = self.instance.astype(np.int32)
        rows = [(n, thing.label, True) for n, thing in enumerate(self.things, 1)]
        ground = self.instance == 0
        for label in np.unique(self.semantic[ground]):
            if label != NO_CLASS:
                rows.append((len(rows) + 1, int(label), False))
                ids[ground & (self.semantic == label)] = len(rows)
        return ids, [
            dict(id=n, label=label, isthing=thing, area=int((ids == n).sum()))
            for n, label, thing in rows
        ]


@dataclass(frozen=True)
class World:
    """A source of scenes: `scene(split, index)` is the same picture on every machine and day.

    Args:
        name: 'toy', or 'toy_target', drawn in another style with another list of classes.
        size: side of the square pictures in pixels, 32 to 512.

    Raises:
        ValueError: unknown name, split, or a size or index outside the range.
    """

    name: str = 'toy'
    size: int = 128
    classes: list[str] = field(init=False, repr=False)

    def __post_init__(self):
        if self.name not in STYLES:
            raise ValueError(f'world {self.name!r}; legal: {", ".join(STYLES)}')
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise ValueError(f'size is {self.size} pixels; legal: {SIZES[0]} to {SIZES[1]}')
        names = [canonical(entry) for entry in load_classes(self.name)]
        object.__setattr__(self, 'classes', names)

    def drawings(self, among: dict) -> list[tuple[int, str]]:
        """Class index and drawing of everything in `among` (`STUFF` or `THINGS`) that occurs."""
        return [
            (label, drawing)
            for label, name in enumerate(self.classes)
            for drawing in TARGET.get(name, (name,))
            if drawing in among
        ]

    @property
    def is_thing(self) -> list[bool]:
        """Whether each class is one of things; else it is stuff."""
        things = {label for label, _ in self.drawings(THINGS)}
        return [label in things for label in range(len(self.classes))]

    def rng(self, kind: str, split: str, index: int) -> np.random.Generator:
        if split not in SPLITS:
            raise ValueError(f'split is {split!r}; legal: {", ".join(SPLITS)}')
        if index < 0:
            raise ValueError(f'index is {index}; legal: 0 and above')
        place = (list(STYLES).index(self.name), ('scene', 'icon').index(kind), SPLITS.index(split))
        return np.random.default_rng([*place, index])

    def scene(self, split: str, index: int) -> Scene:
        """Two to four bands with two to four things before them; every pixel has a class."""
        rng = self.rng('scene', split, index)
        canvas = Canvas(self.size, STYLES[self.name], rng)
        ground = self.drawings(STUFF)
        order = [ground[i] for i in rng.permutation(len(ground))[: rng.integers(2, 5)]]
        order.sort(
            key=lambda band: (
                ('sky', 'mountain').index(band[1]) if band[1] in ('sky', 'mountain') else 2
            )
        )
        heights = rng.uniform(0.6, 1.4, len(order))
        tops = np.concatenate([[0], np.cumsum(heights / heights.sum())[:-1]])
        canvas.fill(order[0][1], order[0][0])
        for (label, drawing), top in zip(order[1:], tops[1:], strict=True):
            canvas.band(drawing, label, top)
        return self.place(canvas, int(rng.integers(2, 5)), (0.2, 0.55))

    def icon(self, split: str, index: int) -> Scene:
        """One texture, with one large thing before it in three of four pictures."""
        rng = self.rng('icon', split, index)
        canvas = Canvas(self.size, STYLES[self.name], rng)
        ground = self.drawings(STUFF)
        label, drawing = ground[rng.integers(len(ground))]
        canvas.fill(drawing, label)
        return self.place(canvas, int(rng.random() < 0.75), (0.45, 0.85))

    def place(self, canvas: Canvas, count: int, lengths: tuple[float, float]) -> Scene:
        """Put `count` things on the canvas, the later before the earlier, and finish it."""
        rng, objects, taken, things = canvas.rng, self.drawings(THINGS), [], []
        for number in range(1, count + 1):
            label, drawing = objects[rng.integers(len(objects))]
            length = rng.uniform(*lengths) * canvas.side
            at = rng.uniform(0.35 * length, canvas.side - 0.35 * length, (8, 2))
            if taken:  # the first place that is not too near another thing
                gaps = [[np.hypot(*(p - q)) / (length + r) for q, r in taken] for p in at]
                free = np.min(gaps, axis=1) > 0.32
                at = (
                    at[np.argmax(free)][None]
                    if free.any()
                    else at[np.argmax(np.min(gaps, 1))][None]
                )
            colour = NAMES[rng.integers(len(NAMES))]
            canvas.thing(drawing, label, number, colour, *at[0], length)
            taken.append((at[0], length))
            things.append(Thing(label, self.classes[label], colour))
        image, semantic, instance = canvas.finish()
        kept = [n for n in range(1, count + 1) if (instance == n).any()]
        renumber = np.zeros(256, np.uint8)
        renumber[kept] = np.arange(1, len(kept) + 1)
        return Scene(image, semantic, renumber[instance], [things[n - 1] for n in kept])
