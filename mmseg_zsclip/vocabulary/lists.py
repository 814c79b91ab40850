"""Class names and zero-shot splits, by name. Imports nothing heavy: models read it too.

`names/<data set>.txt` holds one class a line in the order of the label values; synonyms follow
by comma; the first name is the canonical one, spelt as in the data set's METAINFO.
`names/<data set>.unseen.txt` holds the canonical names of the unseen classes. Sources: VOC
(15/5), Context (49/10, 50/10 with background) and COCO-Stuff (156/15) as in ZegCLIP, CVPR 2023;
ADE20K-847 (572/275: unseen = in at most 10 training images) as in ZegFormer, CVPR 2022; CamVid
(8/3) is ours; COCO's things (48/17, 15 are left out) as in OVR-CNN, CVPR 2021, whose base and novel
classes alone are `coco48` and `coco17`. `ade150_words` are ADE20K's 150 classes with the
challenge's own synonyms, `coco_panoptic133` COCO's with those of MasQCLIP's release; `ade_things`
and `coco_things` are their things, in the order of the ids. Lists of words that together stand for
a class called background: `background5` of MaskCLIP's web photos (ECCV 2022, appendix);
`background26` of SCLIP's release (ECCV 2024, `configs/cls_voc21.txt`), and `background25` without
"bed", which is a class of COCO-Object.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from .class_names import canonical, class_synonyms, folded, split_names

NAMES_DIR = Path(__file__).with_name('names')
BACKGROUND = 'background'  # name of the class that stands for all that has none


def vocabularies() -> list[str]:
    """Names of the class lists that the package ships."""
    return sorted(p.stem for p in NAMES_DIR.glob('*.txt') if not p.stem.endswith('.unseen'))


def splits() -> list[str]:
    """Names of the seen/unseen splits that the package ships."""
    return ['none'] + sorted(p.name.split('.')[0] for p in NAMES_DIR.glob('*.unseen.txt'))


def load_classes(source: str | Path | Sequence[str]) -> list[str]:
    """Full class list in label order, synonyms kept (`'sofa, couch'`).

    Args:
        source: a shipped name (`'voc20'`), the path of a `.txt` file with one class a line,
            or the list itself.

    Raises:
        TypeError: neither of these.
        ValueError: unknown name, no class, an empty line or synonym, a duplicate whatever its case,
            a file that is not UTF-8; the line of a file is named.
        FileNotFoundError: a path that does not exist.
    """
    if not isinstance(source, str | Path):
        if not isinstance(source, Iterable):
            raise TypeError(
                f'classes is {source!r}; legal: the name of a shipped list, a .txt file, or names.'
            )
        return _checked(list(source), 'the given list')
    return _checked(_read_lines(source, vocabularies(), '', 'class list'), str(source), lines=True)


def load_unseen(
    source: str | Path | Sequence[str] | None, classes: Sequence[str] | None = None
) -> list[str]:
    """Canonical names of the unseen classes.

    Args:
        source: a shipped split (`'voc20'`, or `'none'` where every class is seen), the path
            of a `.txt` file with one class a line, or the names themselves.
        classes: full class list; when given, the names are checked against it and respelt as it
            spells them (`'tv monitor'` -> `'tvmonitor'`).

    Raises:
        ValueError: unknown split, a name that is no class, a duplicate.
        FileNotFoundError: a path that does not exist.
    """
    if source is None or source == 'none':
        source = []
    if isinstance(source, str | Path):
        lines = _read_lines(source, splits(), '.unseen', 'seen/unseen split')
        source = _checked(lines, str(source), lines=True) if lines != [''] else []
    if not isinstance(source, Iterable) or not all(isinstance(name, str) for name in source):
        raise ValueError(
            f"unseen is {source!r}; legal: the name of a shipped split ('none': all are seen), a "
            '.txt file, or names.'
        )
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
        i = next(
            (
                t[k]
                for t, k in zip(tables, (key, key, folded(key), folded(key)), strict=True)
                if k in t
            ),
            None,
        )
        if i is None:
            raise ValueError(
                f'unseen class {name!r} is not one of the {len(classes)} classes.'
                f' {_nearest(name, [canonical(c) for c in classes])}'
            )
        if i in found:
            raise ValueError(
                f'unseen class {name!r} is given twice (also as {found[i]!r}). Name each once.'
            )
        found[i] = name
    if classes and len(found) == len(classes):
        raise ValueError(
            f'all {len(classes)} classes are unseen: nothing is left to train on.'
            ' Leave at least one class seen.'
        )
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
            ' A file of your own must end in .txt, one class a line.'
        )
    if not path.is_file():
        raise FileNotFoundError(
            f'{what} file {source} does not exist. Write one class a line, or use a shipped name:'
            f' {", ".join(shipped)}.'
        )
    return read_text(path).rstrip().split('\n')


def read_text(path: Path) -> str:
    """Text of a file: UTF-8 with or without a mark, lines ended by any system's habit."""
    content = path.read_bytes()
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        text = '\0' if content[:2] in (b'\xff\xfe', b'\xfe\xff') else None
        if text is None:
            line = content[: error.start].count(b'\n') + 1
            raise ValueError(
                f'{path}, line {line}: byte {content[error.start]:#x} is not UTF-8. Save the file '
                'as UTF-8.'
            ) from error
    if '\0' in text:
        raise ValueError(f'{path}, line 1: this is UTF-16 or no text. Save the file as UTF-8.')
    return text.replace('\r\n', '\n').replace('\r', '\n')


def _checked(names: Sequence[str], where: str, lines: bool = False) -> list[str]:
    return [', '.join(synonyms) for synonyms in class_synonyms(names, where, lines)]


def _lookup(classes: Sequence[str]) -> list[dict[str, int]]:
    """Name -> label value, best first: first names, synonyms, both again by `folded`.
    ADE20K has a "postbox" and a "post box", so spelling counts before it is forgiven."""
    exact = [{}, {}]
    for i, line in enumerate(classes):
        first, *others = split_names(line)
        exact[0].setdefault(first, i)
        for name in others:
            exact[1].setdefault(name, i)
    loose = [{}, {}]
    for table, target in zip(exact, loose, strict=True):
        for name, i in table.items():
            target.setdefault(folded(name), i)
    return exact + loose


def _nearest(name: str, legal: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), legal, n=3, cutoff=0.5)
    loose = {folded(c): c for c in legal}
    near += [loose[f] for f in difflib.get_close_matches(folded(name), loose, n=3, cutoff=0.5)]
    near = list(dict.fromkeys(near))
    if near:
        return f'Nearest: {", ".join(near)}.'
    shown = ', '.join(legal[:20]) + (', ...' if len(legal) > 20 else '')
    return f'Legal: {shown}.'
