"""Captions from label maps: which classes an image shows, sentences about them, and their truth."""

from dataclasses import dataclass, field

import numpy as np

from ...vocabulary.class_names import split_names

FREQUENT = 'a photo of a {}.'
SCENE_TEMPLATES = (
    '{}',
    'a {}',
    'the {}',
    'a picture of a {}.',
    'an image of a {}.',
    'a photo of the {}.',
    'a cropped photo of a {}.',
    'a close-up photo of a {}.',
    'there is a {} in the scene.',
    'there is a {} in the photo.',
    'a view of a {}.',
    'a photo with a {} in it.',
)

PRESENT, ABSENT, DOUBTFUL = 1, 0, -1


@dataclass
class Presence:
    """When a class counts as shown: its share of an image's pixels.

    At least `present` (or the class's own entry of `present_of`): shown. Below `doubtful`: not
    shown. Between: neither captions nor losses may say anything about it.
    """

    present: float = 0.03
    doubtful: float = 0.004
    present_of: dict[int, float] = field(default_factory=dict)

    def __post_init__(self):
        for share in (self.present, *self.present_of.values()):
            if not 0 < self.doubtful <= share <= 1:
                raise ValueError(
                    f'a class is present from a share of {share} and doubtful from {self.doubtful};'
                    ' legal: 0 < doubtful <= present <= 1'
                )

    def tags(self, counts: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Pixel counts (B, C) of `pixels` (B,) in all -> tags (B, C) int8: 1, 0, -1 (doubtful)."""
        thresholds = np.full(counts.shape[1], self.present)
        for index, share in self.present_of.items():
            thresholds[index] = share
        share = counts / np.maximum(pixels, 1)[:, None]
        tags = np.where(share >= self.doubtful, DOUBTFUL, ABSENT).astype(np.int8)
        tags[share >= thresholds] = PRESENT
        return tags


def enumerate_names(template: str, names: list[str]) -> str:
    """Fill '{}' with names, repeating the article before it: 'a road, a car and a tree'."""
    before = template[: template.index('{}')].split(' ')
    article = before[-2] + ' ' if len(before) > 1 and before[-2] in ('a', 'an', 'the') else ''
    listed = (
        names[0]
        if len(names) == 1
        else (f', {article}'.join(names[:-1]) + f' and {article}' + names[-1])
    )
    return template.replace('{}', listed)


@dataclass
class Captions:
    """Distinct sentences of a batch and, when they were made from classes, what each mentions.

    `texts`: K sentences. `mentions`: (K, C) bool. `single`: (C,) index of a sentence that mentions
    class c alone.
    """

    texts: list[str]
    mentions: np.ndarray
    single: np.ndarray


class CaptionWriter:
    """Draws a batch of captions for images of which the shown classes are known.

    Each batch has `singles` sentences about every class alone, `composed` sentences listing some
    of the classes that an image of the batch shows, and `wrong` of the same kind in which
    one class is replaced by a class that the image does not show.

    Args:
        classes: one entry a class, synonyms by comma, the first the canonical one.
        templates: sentences with one '{}'; half of the captions use `FREQUENT` whatever they are.
        variants: for each of the first entries, the entries after them that may stand for it in a
            sentence ('red car', 'vehicle' for 'car'); without them every entry is a class.
    """

    def __init__(
        self,
        classes: list[str],
        templates=SCENE_TEMPLATES,
        singles: int = 3,
        composed: int = 24,
        wrong: int = 8,
        largest: int = 4,
        variants: list[list[int]] | None = None,
    ) -> None:
        self.variants = variants or [[] for _ in classes]
        self.least = 1 if variants else 2
        self.synonyms = [split_names(entry) for entry in classes]
        bad = [template for template in templates if template.count('{}') != 1]
        if bad:
            raise ValueError(
                f'caption templates {bad} do not hold exactly one "{{}}"; write e.g. {FREQUENT!r}'
            )
        self.templates = tuple(templates)
        self.singles, self.composed, self.wrong, self.largest = singles, composed, wrong, largest

    def sentence(self, indices, rng: np.random.Generator) -> str:
        names = []
        for index in indices:
            synonyms = self.synonyms[index]
            canonical = len(synonyms) == 1 or rng.random() < 0.6
            names.append(synonyms[0 if canonical else rng.integers(1, len(synonyms))])
        template = FREQUENT
        if self.templates and rng.random() < 0.5:
            template = self.templates[rng.integers(len(self.templates))]
        return enumerate_names(template, names)

    def subset(self, tags: np.ndarray, wrong: bool, rng: np.random.Generator) -> np.ndarray | None:
        """Some of what one image (tags of all entries) shows, or None when that cannot be had."""
        classes = tags[: len(self.variants)]
        shown, absent = np.flatnonzero(classes == PRESENT), np.flatnonzero(classes == ABSENT)
        if len(shown) < self.least or (wrong and not len(absent)):
            return None
        chosen = rng.permutation(shown)[: rng.integers(self.least, self.largest + 1)]
        place = rng.integers(len(chosen)) if wrong else -1
        for i, index in enumerate(chosen):
            if i == place:
                near = [v for v in self.variants[index] if tags[v] == ABSENT]
                near = near if rng.random() < 0.5 else []
                chosen[i] = rng.choice(near) if near else rng.choice(absent)
            elif rng.random() < 0.4:
                held = [v for v in self.variants[index] if tags[v] == PRESENT]
                chosen[i] = rng.choice(held) if held else index
        return chosen

    def write(self, tags: np.ndarray, rng: np.random.Generator) -> Captions:
        """Captions for a batch whose tags of all entries are (B, K)."""
        count = len(self.variants)
        subsets = [np.array([c]) for _ in range(self.singles) for c in range(count)]
        for number in range(self.composed + self.wrong):
            subset = self.subset(tags[rng.integers(len(tags))], number >= self.composed, rng)
            if subset is not None:
                subsets.append(subset)
        rows: dict[str, np.ndarray] = {}
        single = np.zeros(count, dtype=np.int64)
        for subset in subsets:
            text = self.sentence(subset, rng)
            if text not in rows:
                mention = np.zeros(len(self.synonyms), dtype=bool)
                mention[subset] = True
                rows[text] = mention
            if len(subset) == 1 and subset[0] < count:
                single[subset[0]] = list(rows).index(text)
        return Captions(list(rows), np.stack(list(rows.values())), single)


def truth(mentions: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Is caption k true of image i? (B, K) int8 from mentions (K, C) and tags (B, C).

    True (1) when every class mentioned is shown, false (0) when any of them is not, else
    doubtful (-1).
    """
    mentions = mentions.astype(np.float32)
    absent = (tags == ABSENT).astype(np.float32) @ mentions.T
    shown = (tags == PRESENT).astype(np.float32) @ mentions.T
    answer = np.full(absent.shape, DOUBTFUL, dtype=np.int8)
    answer[shown == mentions.sum(1)] = PRESENT
    answer[absent > 0] = ABSENT
    return answer
