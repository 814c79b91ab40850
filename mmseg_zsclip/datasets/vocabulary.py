"""Class names and zero-shot splits, by name. Imports nothing heavy: models read it too.

A names file holds one class a line; synonyms follow by comma; the first name is the canonical
one, spelt as in the data set's METAINFO. Order is the order of the label values.
"""
import difflib
from collections.abc import Sequence
from pathlib import Path

NAMES_DIR = Path(__file__).with_name('names')

# Sources: VOC, Context and COCO-Stuff as in ZegCLIP (CVPR 2023), section 4.1; CamVid is ours.
_CONTEXT = ('cow', 'motorbike', 'sofa', 'cat', 'boat', 'fence', 'bird', 'tvmonitor', 'keyboard',
            'aeroplane')
UNSEEN = {
    'none': (),
    'voc20': ('pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor'),
    'voc21': ('pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor'),
    'context59': _CONTEXT,
    'context60': _CONTEXT,
    'coco_stuff171': (
        'cow', 'giraffe', 'suitcase', 'frisbee', 'skateboard', 'carrot', 'scissors', 'cardboard',
        'clouds', 'grass', 'playingfield', 'river', 'road', 'tree', 'wall-concrete'),
    'camvid': ('tree', 'fence', 'car'),
}


def canonical(name: str) -> str:
    """First of the comma-separated synonyms: ``'sofa, couch'`` -> ``'sofa'``."""
    return name.split(',')[0].strip()


def vocabularies() -> list[str]:
    """Names of the class lists that the package ships."""
    return sorted(path.stem for path in NAMES_DIR.glob('*.txt'))


def load_classes(source: str | Path | Sequence[str]) -> list[str]:
    """Full class list in label order, synonyms kept (``'sofa, couch'``).

    Args:
        source: a shipped name (``'voc20'``), the path of a ``.txt`` file with one class a line,
            or the list itself.

    Raises:
        ValueError: unknown name, no class, an empty line inside the list, a duplicate.
        FileNotFoundError: a path that does not exist.
    """
    if not isinstance(source, str | Path):
        return _checked(list(source), 'the given list')
    return _checked(_read_lines(source, vocabularies(), 'class list'), str(source))


def load_unseen(
    source: str | Path | Sequence[str] | None, classes: Sequence[str] | None = None
) -> list[str]:
    """Canonical names of the unseen classes.

    Args:
        source: a shipped split (``'voc20'``, or ``'none'`` where every class is seen), the path
            of a ``.txt`` file with one class a line, or the names themselves.
        classes: full class list; when given, the names are checked against it and respelt as it
            spells them (``'tv monitor'`` -> ``'tvmonitor'``).

    Raises:
        ValueError: unknown split, a name that is no class, a duplicate.
        FileNotFoundError: a path that does not exist.
    """
    if source is None:
        names = []
    elif not isinstance(source, str | Path):
        names = [canonical(name) for name in source]
    elif str(source) in UNSEEN:
        names = list(UNSEEN[str(source)])
    else:
        names = [canonical(n) for n in _read_lines(source, sorted(UNSEEN), 'seen/unseen split')]
    if classes is not None:
        _, unseen = split_indices(classes, names)
        names = [canonical(classes[i]) for i in unseen]
    return names


def split_indices(
    classes: Sequence[str], unseen: Sequence[str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Label values of the seen and of the unseen classes, both ascending.

    Case, spaces, hyphens and underscores do not matter, and any synonym of a class names it.

    Args:
        classes: full class list in label order.
        unseen: names of the unseen classes, in any order.

    Raises:
        ValueError: a name that is no class (with the nearest ones), a name given twice, or no
            seen class left.
    """
    index = {}
    for i, line in enumerate(classes):
        for name in line.split(','):
            index.setdefault(_fold(name), i)
    for i, line in enumerate(classes):
        index[_fold(canonical(line))] = i
    found = {}
    for name in unseen:
        i = index.get(_fold(canonical(name)))
        if i is None:
            raise ValueError(
                f'unseen class {name!r} is not one of the {len(classes)} classes.'
                f' {_nearest(name, [canonical(c) for c in classes])}')
        if i in found:
            raise ValueError(
                f'unseen class {name!r} is given twice (also as {found[i]!r}). Name each once.')
        found[i] = name
    if classes and len(found) == len(classes):
        raise ValueError(
            f'all {len(classes)} classes are unseen: nothing is left to train on.'
            ' Leave at least one class seen.')
    return tuple(i for i in range(len(classes)) if i not in found), tuple(sorted(found))


def _read_lines(source: str | Path, shipped: list[str], what: str) -> list[str]:
    source = str(source)
    if what == 'class list' and source in shipped:
        path = NAMES_DIR / f'{source}.txt'
    else:
        path = Path(source)
        if path.suffix != '.txt':
            raise ValueError(
                f'unknown {what} {source!r}. {_nearest(source, shipped)}'
                ' A file of your own must end in .txt, one class a line.')
    if not path.is_file():
        raise FileNotFoundError(
            f'{what} file {source} does not exist. Write one class a line, or use a shipped name:'
            f' {", ".join(shipped)}.')
    lines = path.read_text(encoding='utf-8').rstrip().splitlines()
    return [line.strip() for line in lines]


def _checked(names: list[str], where: str) -> list[str]:
    if not names or names == ['']:
        raise ValueError(f'{where} holds no class. Give at least one class name.')
    seen = {}
    for i, name in enumerate(names):
        key = canonical(name)
        if not key:
            raise ValueError(
                f'{where}: class {i} is empty ({name!r}). Every label value needs a name.')
        if key in seen:
            raise ValueError(
                f'{where}: {key!r} names both class {seen[key]} and class {i}.'
                ' Give each class its own first name.')
        seen[key] = i
    return names


def _fold(name: str) -> str:
    return ''.join(c for c in name.lower() if c not in ' -_')


def _nearest(name: str, legal: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), legal, n=3, cutoff=0.5)
    folded = {_fold(c): c for c in legal}
    near += [folded[f] for f in difflib.get_close_matches(_fold(name), folded, n=3, cutoff=0.5)]
    near = list(dict.fromkeys(near))
    if near:
        return f'Nearest: {", ".join(near)}.'
    shown = ', '.join(legal[:20]) + (', ...' if len(legal) > 20 else '')
    return f'Legal: {shown}.'
