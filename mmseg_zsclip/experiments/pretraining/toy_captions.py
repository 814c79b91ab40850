"""What can be said of a scene: classes, things of a colour, and kinds of things."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...clip.prompts import get_templates
from ...toy.palette import NAMES
from ...toy.things import THINGS
from ...toy.world import NO_CLASS, Scene
from ...vocabulary.class_names import split_names
from ...vocabulary.lists import canonical, load_classes
from .captions import SCENE_TEMPLATES, CaptionWriter, Presence

KINDS = {'vehicle': ('car', 'boat'), 'animal': ('fish', 'bird'), 'plant': ('tree', 'flower')}
SHADES = len(NAMES) + 1  # no colour word, and each of them

# half of CLIP's own templates; the others are held out, to test prompt ensembles on
TRAINED_TEMPLATES = (*SCENE_TEMPLATES, *get_templates('imagenet')[::2])
HELD_OUT_TEMPLATES = tuple(
    template for template in get_templates('imagenet') if template not in TRAINED_TEMPLATES
)


@dataclass(frozen=True)
class Concepts:
    """What captions mention. The first 20 are the classes of the world 'toy'.

    `entries`: K names, synonyms by comma. `membership`: (K, 20 * SHADES) float32, 1 where a fine
    label is an instance of the concept. `variants`: for each class, the narrower and wider
    concepts that may stand for it.
    """

    entries: list[str]
    membership: np.ndarray
    variants: list[list[int]]


@lru_cache(maxsize=1)
def build_concepts() -> Concepts:
    classes = load_classes('toy')
    names = [canonical(entry) for entry in classes]
    entries, variants = list(classes), [[] for _ in classes]
    fine = np.arange(len(classes) * SHADES)
    rows = [fine // SHADES == label for label in range(len(classes))]

    def add(entry: str, row: np.ndarray, labels: list[int]) -> None:
        for label in labels:
            variants[label].append(len(entries))
        entries.append(entry)
        rows.append(row)

    for label, entry in enumerate(classes):
        if names[label] in THINGS:
            for number, colour in enumerate(NAMES, 1):
                coloured = ', '.join(f'{colour} {name}' for name in split_names(entry))
                add(coloured, fine == label * SHADES + number, [label])
    for kind, members in KINDS.items():
        labels = [names.index(member) for member in members]
        add(kind, np.isin(fine // SHADES, labels), labels)
    return Concepts(entries, np.stack(rows).astype(np.float32), variants)


def fine_labels(scene: Scene) -> np.ndarray:
    """(S, S) int32: class * SHADES, plus 1 + the index of its colour for a thing; -1 no class."""
    shades = np.array([0, *(1 + NAMES.index(thing.colour) for thing in scene.things)])
    fine = scene.semantic.astype(np.int32) * SHADES + shades[scene.instance]
    fine[scene.semantic == NO_CLASS] = -1
    return fine


def describe(scene: Scene, rng: np.random.Generator, count: int = 5) -> list[str]:
    """`count` true sentences about a scene of the world 'toy': what is there, never where."""
    concepts = build_concepts()
    counts = np.bincount(fine_labels(scene).ravel(), minlength=concepts.membership.shape[1])
    total = np.array([scene.semantic.size])
    tags = Presence(0.005, 0.0005).tags((concepts.membership @ counts)[None], total)[0]
    writer = CaptionWriter(concepts.entries, TRAINED_TEMPLATES, variants=concepts.variants)
    subsets = [writer.subset(tags, False, rng) for _ in range(count)]
    return [writer.sentence(subset, rng) for subset in subsets if subset is not None]
