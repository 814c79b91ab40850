"""The words of a call: what a user writes for classes, as the texts that a model embeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..vocabulary.class_names import canonical, split_names
from ..vocabulary.lists import BACKGROUND, load_classes, vocabularies

Classes = str | Sequence[str] | Mapping[str, str | Sequence[str]]


class Prompts(NamedTuple):
    """R texts to embed, synonyms by comma; the class of each, (R,); and the names of C classes."""

    texts: tuple[str, ...]
    owner: tuple[int, ...]
    names: tuple[str, ...]


def read_classes(classes: Classes) -> list[tuple[str, list[str]]]:
    """What a user wrote -> the name of each class, and its texts, of which the best counts.

    Args:
        classes: names in a list, or in one string with ';' between them, synonyms by comma, whose
            embeddings are averaged; the path of a `.txt` file with a class a line; or a dict of a
            name and the texts that stand for it.

    Raises:
        ValueError: no class, an empty or duplicate name, see `load_classes`.
        TypeError: names that are no text, or in no order.
    """
    if isinstance(classes, Mapping):
        named = load_classes(list(classes))
        texts = [load_classes(listed(value)) for value in classes.values()]
        load_classes([text for some in texts for text in some])  # no text for two classes
        return [(canonical(name), some) for name, some in zip(named, texts, strict=True)]
    return [(canonical(name), [name]) for name in load_classes(read_names(classes))]


def read_names(names: str | Path | Sequence[str]) -> list[str]:
    """The lines of a `.txt` file; all else as `listed` takes it."""
    if isinstance(names, Path) or (isinstance(names, str) and names.endswith('.txt')):
        return load_classes(str(names))
    return listed(names)


def listed(names: str | Sequence[str]) -> list[str]:
    """'cat, kitten; sofa' -> ['cat, kitten', 'sofa'], where a ';' at the end is no class; a list as
    it is. It reads no file: what strangers type comes here."""
    if isinstance(names, str):
        return [part for part in names.strip().rstrip(';').split(';') if names.strip(' ;')]
    if not isinstance(names, Sequence):
        raise TypeError(
            f"names are in a list, or in a string with ';' between them; got {names!r} "
            f'({type(names).__name__}).'
        )
    return list(names)


def prompts_of(
    classes: Classes, background: bool | str | Sequence[str] | None, words: str
) -> Prompts:
    """The texts of a call.

    Args:
        classes: see `read_classes`.
        background: words that together are 'everything else', the last class if none has that name;
            True for those of `words`; None for them where there is a single class, which would be
            every pixel; False for none.
        words: a shipped list of words.

    Raises:
        ValueError: as `read_classes`; a background that is a class.
    """
    asked = read_classes(classes)
    if background is None:
        background = len(asked) == 1 and len(asked[0][1]) == 1
    if background is not False:
        asked = with_background(asked, words if background is True else background)
    texts = [(text, i) for i, (_, some) in enumerate(asked) for text in some]
    return Prompts(*map(tuple, zip(*texts, strict=True)), tuple(name for name, _ in asked))


def with_background(
    asked: list[tuple[str, list[str]]], background: str | Sequence[str]
) -> list[tuple[str, list[str]]]:
    """Classes and their texts, with words for everything else; of a shipped list those that name a
    class are left out."""
    others = [(name, some) for name, some in asked if name.lower() != BACKGROUND]
    given = {text.lower() for _, some in others for line in some for text in split_names(line)}
    shipped = isinstance(background, str) and background in vocabularies()
    words = load_classes(background if shipped else of_background(background))
    left = [word for word in words if not {one.lower() for one in split_names(word)} & given]
    if len(left) < len(words) and not shipped:
        both = next(word for word in words if word not in left)
        raise ValueError(
            f'{both!r} is a class, and a word for everything else: no pixel could tell which. Take '
            'it out of background.'
        )
    if not left or not others:
        raise ValueError(
            f'background={background!r} leaves {len(left)} words beside {len(others)} classes. '
            "Give words for what else may be there: background=['sky', 'wall']."
        )
    at = next((i for i, (name, _) in enumerate(asked) if name.lower() == BACKGROUND), len(others))
    return [*others[:at], (BACKGROUND, left), *others[at:]]


def of_background(words: str | Sequence[str]) -> list[str]:
    """Words by ';' or comma, or in a list."""
    names = listed(words)
    return [one for name in names for one in split_names(name)] if isinstance(words, str) else names
