"""Class names and zero-shot splits, by name. Imports nothing heavy: models read it too.

``names/<data set>.txt`` holds one class a line in the order of the label values; synonyms follow
by comma; the first name is the canonical one, spelt as in the data set's METAINFO.
``names/<data set>.unseen.txt`` holds the canonical names of the unseen classes. Sources: VOC
(15/5), Context (49/10, 50/10 with background) and COCO-Stuff (156/15) as in ZegCLIP, CVPR 2023;
ADE20K-847 (572/275: unseen = in at most 10 training images) as in ZegFormer, CVPR 2022; CamVid
(8/3) is ours. Lists of words that together stand for a class called background: ``background5`` of
MaskCLIP's web photos (ECCV 2022, appendix); ``background26`` of SCLIP's release (ECCV 2024,
``configs/cls_voc21.txt``), and ``background25`` without "bed", which is a class of COCO-Object.
"""
import difflib
from collections.abc import Sequence
from pathlib import Path

NAMES_DIR = Path(__file__).with_name('names')
BACKGROUND = 'background'  # name of the class that stands for all that has none


def canonical(name: str) -> str:
    """First of the comma-separated synonyms: ``'sofa, couch'`` -> ``'sofa'``."""
    return name.split(',')[0].strip()


def vocabularies() -> list[str]:
    """Names of the class lists that the package ships."""
    return sorted(p.stem for p in NAMES_DIR.glob('*.txt') if not p.stem.endswith('.unseen'))


def splits() -> list[str]:
    """Names of the seen/unseen splits that the package ships."""
    return ['none'] + sorted(p.name.split('.')[0] for p in NAMES_DIR.glob('*.unseen.txt'))


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
    return _checked(_read_lines(source, vocabularies(), '', 'class list'), str(source))


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
    if source is None or source == 'none':
        source = []
    if isinstance(source, str | Path):
        source = _read_lines(source, splits(), '.unseen', 'seen/unseen split')
    names = [canonical(name) for name in source]
    if classes is not None:
        _, unseen = split_indices(classes, names)
        names = [canonical(classes[i]) for i in unseen]
    return names


def split_indices(
    classes: Sequence[str], unseen: Sequence[str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Label values of the seen and of the unseen classes, both ascending.

    A class is named by its first name or a synonym; where neither is met exactly, case, spaces,
    hyphens and underscores are overlooked.

    Args:
        classes: full class list in label order.
        unseen: names of the unseen classes, in any order.

    Raises:
        ValueError: a name that is no class (with the nearest ones), a name given twice, or no
            seen class left.
    """
    tables = _lookup(classes)
    found = {}
    for name in unseen:
        key = canonical(name)
        i = next((t[k] for t, k in zip(tables, (key, key, _fold(key), _fold(key)), strict=True)
                  if k in t), None)
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


def _read_lines(source: str | Path, shipped: list[str], ending: str, what: str) -> list[str]:
    source = str(source)
    if source in shipped:
        path = NAMES_DIR / f'{source}{ending}.txt'
    elif source.endswith('.txt'):
        path = Path(source)
    else:
        raise ValueError(
            f'unknown {what} {source!r}. {_nearest(source, shipped)}'
            ' A file of your own must end in .txt, one class a line.')
    if not path.is_file():
        raise FileNotFoundError(
            f'{what} file {source} does not exist. Write one class a line, or use a shipped name:'
            f' {", ".join(shipped)}.')
    return [line.strip() for line in path.read_text(encoding='utf-8').rstrip().splitlines()]


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


def _lookup(classes: Sequence[str]) -> list[dict[str, int]]:
    """Name -> label value, best first: first names, synonyms, both again by :func:`_fold`.
    ADE20K has a "postbox" and a "post box", so spelling counts before it is forgiven."""
    exact = [{}, {}]
    for i, line in enumerate(classes):
        first, *others = (name.strip() for name in line.split(','))
        exact[0].setdefault(first, i)
        for name in others:
            exact[1].setdefault(name, i)
    folded = [{}, {}]
    for table, target in zip(exact, folded, strict=True):
        for name, i in table.items():
            target.setdefault(_fold(name), i)
    return exact + folded


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
