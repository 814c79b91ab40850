"""What a class name is: synonyms by comma, the first the canonical one. The one place that splits
them; imports nothing, so that CLIP, data sets and models read it alike."""

from collections.abc import Sequence


def split_names(name: str) -> list[str]:
    """`'cat,  kitten '` -> `['cat', 'kitten']`, unchecked."""
    return [' '.join(part.split()) for part in name.split(',')]


def canonical(name: str) -> str:
    """First of the synonyms: `'sofa, couch'` -> `'sofa'`."""
    return split_names(name)[0]


def folded(name: str) -> str:
    """A name without what spelling varies: case, spaces, hyphens, underscores."""
    return ''.join(c for c in name.lower() if c not in ' -_')


def class_synonyms(
    names: Sequence[str], where: str = 'the given list', lines: bool = False
) -> list[list[str]]:
    """The names of every class, in order.

    Args:
        names: one class each.
        where: what they come from, for errors.
        lines: they are the lines of a file: errors name the line too.

    Raises:
        TypeError: one string in the place of a list, or a name that is no text.
        ValueError: no class, an empty name or synonym, an invisible character, a synonym given
            twice, or two classes with one first name, whatever its case:
            the second could never win.
    """
    if isinstance(names, str):
        raise TypeError(
            f'class names must be a list, got the single string {names!r}; write [name] '
            'for one class'
        )
    if len(names) == 0 or (lines and list(names) == ['']):
        raise ValueError(f'{where} holds no class. Give at least one class name.')
    seen, out = {}, []
    for i, name in enumerate(names):
        place = f'{where}, line {i + 1}: class {i}' if lines else f'{where}: class {i}'
        synonyms = _checked(name, place)
        key = synonyms[0].lower()
        if key in seen:
            raise ValueError(
                f'{place}: {synonyms[0]!r} names both class {seen[key]} and class {i} (case does '
                'not matter). Give each class its own first name.'
            )
        seen[key] = i
        out.append(synonyms)
    return out


def _checked(name: str, place: str) -> list[str]:
    if not isinstance(name, str):
        raise TypeError(f'{place} is {name!r} ({type(name).__name__}), no text. Put it in quotes.')
    if not name.strip():
        raise ValueError(f'{place} is empty ({name!r}). Every label value needs a name.')
    shown = name.strip().replace('\xa0', ' ')  # a space that does not break is a space
    if shown.startswith('#') or not shown.isprintable():
        raise ValueError(
            f'{place}, {name!r}, has a tab, a comment or an invisible character. Write the name'
            ' alone, synonyms by comma.'
        )
    synonyms = split_names(name)
    if not all(synonyms):
        raise ValueError(f"{place}, {name!r}, has an empty synonym. Write 'cat' or 'cat, kitten'.")
    if len({synonym.lower() for synonym in synonyms}) < len(synonyms):
        raise ValueError(f'{place}, {name!r}, has a synonym twice. Keep one.')
    return synonyms
