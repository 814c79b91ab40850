"""Which classes are things, of which each is a segment of its own; the rest is stuff."""

from collections.abc import Sequence

from .class_names import folded, split_names
from .lists import load_classes


def load_things(things: str | Sequence[str] | None, classes: Sequence[str]) -> set[str] | None:
    """Names of the classes that are things; None where all are.

    Args:
        things: names, a shipped list or a text file, synonyms by comma; [] where all are stuff.
        classes: of the vocabulary, synonyms by comma.

    Raises:
        ValueError: a thing that is no class.
    """
    if things is None:
        return None
    known, out = folded_names(classes), set()
    for one in load_classes(things) if things else []:
        if not known & folded_names([one]):
            raise ValueError(
                f'{one!r} of the things is none of the {len(classes)} classes '
                f'({", ".join(list(classes)[:5])}, ...). Name classes, or None for all.'
            )
        out |= folded_names([one])
    return out


def folded_names(names: Sequence[str]) -> set[str]:
    """All names of classes, case and hyphens overlooked."""
    return {folded(name) for one in names for name in split_names(one)}


def thing_classes(names: set[str] | None, classes: Sequence[str]) -> list[int]:
    """Which classes are things: those whose first name is among `names`, and, for a name that is no
    first one, those that have it as a synonym. A "screen" is a thing, a "blind, screen" is stuff.
    """
    first = [folded(split_names(one)[0]) for one in classes]
    if names is None:
        return list(range(len(first)))
    rest = names - {*first}
    return [
        i
        for i, one in enumerate(classes)
        if first[i] in names or not rest.isdisjoint(folded_names([one]))
    ]
