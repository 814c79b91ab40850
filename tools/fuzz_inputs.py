"""Photos, words and options for `fuzz.py`, each with whether it is legal: True, False, or None
where nobody says. They are described in a few words, so that a failing call can be printed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mmseg_zsclip.vocabulary.labels import TASKS

OBJECTS = ('toy-maft', 'toy-masqclip')  # models of all tasks
WORDS = ('sky', 'grass', 'tree', 'house', 'red car', 'Straße', '猫', "l'eau", 'a photo of a sea')


class Value(NamedTuple):
    """Of an option."""

    value: Any
    legal: bool | None


ARRAYS = {
    'rgb': lambda rgb: rgb,
    'mirrored': lambda rgb: rgb[:, ::-1],
    'rgba': lambda rgb: np.concatenate([rgb, rgb[..., :1]], axis=2),
    'grey': lambda rgb: rgb[..., 0],
    'grey, three axes': lambda rgb: rgb[..., :1],
    'grey and alpha': lambda rgb: rgb[..., :2],
    '16 bits': lambda rgb: rgb.astype(np.uint16) * 257,
    'bool': lambda rgb: rgb > 127,
}
WRONG_ARRAYS = {
    'fractions': lambda rgb: rgb / 255,
    'int64': lambda rgb: rgb.astype(np.int64),
    'several': lambda rgb: rgb[None],
    'no row': lambda rgb: rgb[:0],
    'flat': lambda rgb: rgb.ravel(),
    'five channels': lambda rgb: rgb[..., [0, 1, 2, 0, 1]],
    'objects': lambda rgb: rgb.astype(object),
    'complex': lambda rgb: rgb.astype(complex),
    'number': lambda rgb: np.array(3),
}
UNSURE_ARRAYS = {'channels first': lambda rgb: rgb.transpose(2, 0, 1)}
MODES = ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'RGBX', 'CMYK', 'YCbCr', 'HSV', 'I;16', 'La', 'RGBa')
WRONG_MODES = ('F', 'LAB')
# ending: modes that it holds, options of Pillow
FILES = {
    '.png': ('1 L LA P RGB RGBA I;16', {}),
    '.jpg': ('L RGB CMYK', dict(quality=90)),
    '.webp': ('RGB RGBA', dict(lossless=True)),
    '.bmp': ('1 L P RGB', {}),
    '.tif': ('L RGB RGBA', {}),
    '.ppm': ('L RGB', {}),
}
OTHERS = (None, 5, 1.5, {}, b'a.png', 'nowhere.png', 'http://a.b/c.png', '.', Path('nowhere.jpg'))


@dataclass(frozen=True)
class PhotoOf:
    """A photo that is to be made.

    Args:
        kind: 'array', 'pillow', 'file' or 'other'.
        form: of an array its name in `ARRAYS`, of Pillow the mode, of a file the ending, else the
            photo itself.
        size: height and width.
        content: 'noise', or the grey of all pixels.
        mode: of Pillow, for a file.
        turned: orientation of EXIF, 1 to 8, of a JPEG.
        kept: share of the file that is left.
    """

    kind: str
    form: Any
    size: tuple[int, int] = (1, 1)
    content: str | int = 'noise'
    mode: str = 'RGB'
    turned: int = 1
    kept: float = 1.0

    @property
    def legal(self) -> bool | None:
        if self.kind == 'array':
            return None if self.form in UNSURE_ARRAYS else self.form in ARRAYS
        if self.kind == 'pillow':
            return self.form in MODES
        if self.kind == 'file':
            return True if self.kept == 1 else None
        return False

    def made(self, folder: Path) -> tuple[Any, tuple[int, int] | None]:
        """The photo, and its upright size if it is legal."""
        if self.kind == 'other':
            return self.form, None
        rgb = pixels_of(self.size, self.content)
        if self.kind == 'array':
            make = {**ARRAYS, **WRONG_ARRAYS, **UNSURE_ARRAYS}[self.form]
            return make(rgb), self.size if self.legal else None
        image = in_mode(Image.fromarray(rgb), self.form if self.kind == 'pillow' else self.mode)
        if self.kind == 'pillow':
            return image, self.size
        return self.file(image, folder), self.size[::-1] if self.turned > 4 else self.size

    def file(self, image: Image.Image, folder: Path) -> Path:
        path, options = folder / f'photo{self.form}', dict(FILES[self.form][1])
        if self.turned > 1:
            exif = Image.Exif()
            exif[0x0112] = self.turned
            options['exif'] = exif
        image.save(path, **options)
        if self.kept < 1:
            content = path.read_bytes()
            path.write_bytes(content[: int(self.kept * len(content))])
        return path


def pixels_of(size: tuple[int, int], content: str | int) -> np.ndarray:
    """(H, W, 3) uint8."""
    if content == 'noise':
        return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    return np.full((*size, 3), content, np.uint8)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == 'I;16':
        return Image.fromarray(np.asarray(image.convert('L')).astype(np.uint16) * 257)
    between = {'La': 'LA', 'RGBa': 'RGBA'}.get(mode)
    if mode == 'LAB':
        return Image.new('LAB', image.size)
    return (image.convert(between) if between else image).convert(mode)


@dataclass(frozen=True)
class CallOf:
    """A call of a segmenter; `several` photos are given in a list."""

    model: str
    photos: tuple[PhotoOf, ...]
    several: bool
    classes: Value
    background: Value
    threshold: Value
    tasks: Value
    things: Value

    def made(self, folder: Path) -> tuple[Any, list]:
        """The photos, and their upright sizes."""
        pairs = []
        for i, photo in enumerate(self.photos):
            (folder / str(i)).mkdir(exist_ok=True)
            pairs.append(photo.made(folder / str(i)))
        photos, sizes = [one for one, _ in pairs], [size for _, size in pairs]
        return (photos, sizes) if self.several else (photos[0], sizes)

    def options(self) -> dict:
        names = ('classes', 'background', 'threshold', 'tasks', 'things')
        return {name: getattr(self, name).value for name in names}

    def legal(self, tasks: tuple[str, ...], closed: bool) -> bool | None:
        """Of a model that gives `tasks`; a `closed` one has classes of its own alone."""
        parts = [self.classes, self.background, self.threshold, self.tasks]
        found = [part.legal for part in (*self.photos, *parts)]
        if not self.photos or False in found:
            return False
        if self.tasks.legal and set(self.tasks.value) - set(tasks):
            return False
        if None in found or self.things.value is not None:
            return None
        words, rest = self.classes.value, self.background.value
        if words is None:  # those of the model, which may leave none for the background
            return None if rest else True
        alone = ';' not in words if isinstance(words, str) else len(words) == 1
        return None if closed or (alone and rest is False) else True


def legal(*values: Any) -> st.SearchStrategy[Value]:
    return st.sampled_from([Value(value, True) for value in values])


def wrong(*values: Any) -> st.SearchStrategy[Value]:
    return st.sampled_from([Value(value, False) for value in values])


def unsure(values: st.SearchStrategy) -> st.SearchStrategy[Value]:
    return values.map(lambda value: Value(value, None))


def mostly(
    common: st.SearchStrategy, *others: st.SearchStrategy, times: int = 16
) -> st.SearchStrategy:
    """`common` so many times as often as each of the others."""
    return st.integers(0, times + len(others) - 1).flatmap(
        lambda i: common if i < times else others[i - times]
    )


def photos() -> st.SearchStrategy[PhotoOf]:
    side = st.one_of(st.integers(1, 8), st.integers(1, 160), st.sampled_from([1, 128, 300]))
    size, content = st.tuples(side, side), st.sampled_from(['noise', 'noise', 0, 255, 128])
    arrays = st.sampled_from([*ARRAYS, *ARRAYS, *ARRAYS, *WRONG_ARRAYS, *UNSURE_ARRAYS])
    modes = st.sampled_from([*MODES, *MODES, *WRONG_MODES])
    share = st.sampled_from([1.0, 1.0, 1.0, 0.0, 0.2, 0.9, 0.999])
    files = [
        st.builds(
            PhotoOf,
            kind=st.just('file'),
            form=st.just(ending),
            size=size,
            content=content,
            mode=st.sampled_from(FILES[ending][0].split()),
            turned=st.integers(1, 8) if ending == '.jpg' else st.just(1),
            kept=share,
        )
        for ending in FILES
    ]
    return mostly(
        st.builds(PhotoOf, st.just('array'), arrays, size, content),
        st.builds(PhotoOf, st.just('pillow'), modes, size, content),
        st.one_of(files),
        st.builds(PhotoOf, st.just('other'), st.sampled_from(OTHERS)),
        times=8,
    )


def named_words() -> st.SearchStrategy[Value]:
    """Legal lists of words, in every form."""
    lists = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5, unique=True)
    return st.one_of(
        lists,
        lists.map('; '.join),
        lists.map(tuple),
        lists.map(lambda words: [f'{word}, other {word}' for word in words]),
        lists.map(lambda words: {word.upper(): [word] for word in words}),
    ).map(lambda words: Value(words, True))


def word_lists() -> st.SearchStrategy[Value]:
    return mostly(
        named_words(),
        legal(None),
        wrong([], '', ' ; ', ['sky', 'Sky'], ['sky', ''], ['a,,b'], 5, 1.5, [1], [None], {}),
        wrong({'a': []}, {1: 'a'}, 'word ' * 100, b'sky', 'nowhere.txt', Path('no.txt'), {'a'}),
        unsure(st.one_of(st.text(max_size=8), st.lists(st.text(max_size=4), max_size=3))),
        unsure(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3)),
    )


def backgrounds() -> st.SearchStrategy[Value]:
    return mostly(
        legal(None, False, True, 'toy', ['wall', 'floor, ground'], 'wall, floor'),
        wrong(5, [], '', [''], [3], {'a': 'b'}),
        unsure(st.one_of(st.text(max_size=4), st.just(['sky']))),
    )


def calls(models: dict[str, bool]) -> st.SearchStrategy[CallOf]:
    """Of models by name, and whether each has classes of its own alone, which are left out."""
    return st.sampled_from(list(models)).flatmap(lambda name: calls_of(name, models[name]))


def calls_of(model: str, closed: bool) -> st.SearchStrategy[CallOf]:
    words, rest = word_lists(), backgrounds()
    return st.builds(
        CallOf,
        model=st.just(model),
        photos=st.lists(photos(), min_size=1, max_size=2).map(tuple),
        several=st.booleans(),
        classes=mostly(legal(None), words, times=8) if closed else words,
        background=mostly(legal(None, False), rest, times=8) if closed else rest,
        threshold=mostly(
            legal(0.0, 0, 0.3, 1, 1.0, np.float32(0.5)),
            wrong(-1, 1.01, float('nan'), float('inf'), '0.5', None, [0.5], 1j),
        ),
        tasks=mostly(
            legal(('semantic',), ['semantic'], ('semantic', 'instance', 'panoptic')),
            wrong('semantic', (), ['x'], None, 5, [['semantic']]),
        ),
        things=mostly(
            legal(None),
            unsure(st.sampled_from(['sky', ['sky'], [], '', 5, ['sky', 'sky'], [3], {'sky': 1}])),
            unsure(st.text(max_size=4)),
        ),
    ).map(lambda call: call if call.several else one_photo(call))


def one_photo(call: CallOf) -> CallOf:
    return CallOf(**{**vars(call), 'photos': call.photos[:1]})


class Line(NamedTuple):
    """Words behind `zsclip segment`."""

    words: list[str]
    legal: bool | None


def lines() -> st.SearchStrategy[Line]:
    """Lines of the command, called in a folder with `photos`; the words of an option and whether
    they are legal."""
    named = mostly(
        legal(['photos'], ['photos/a.png'], ['photos/*.jpg'], ['photos', 'photos/b.jpg']),
        wrong(['nowhere'], ['photos/*.gif'], ['@nowhere'], [''], [], ['photos', '--nonsense', 'a']),
        unsure(st.lists(st.text(max_size=5), max_size=2)),
    )
    options = {
        '--out': mostly(legal('out', 'a b/c'), unsure(st.text(max_size=4))),
        '--classes': mostly(
            legal('sky', 'sky; tree', 'sky, heaven;tree;'),
            wrong('', ';', 'sky;sky', 'nowhere.txt'),
            unsure(st.text(max_size=6)),
        ),
        '--format': mostly(
            legal('png', 'png,coco', 'coco, cvat,labelme,yolo'),
            wrong('voc', '', ',', 'png,,coco'),
            unsure(st.text(max_size=5)),
        ),
        '--threshold': mostly(
            legal('0', '0.5', '1e-3'), wrong('2', 'nan', 'half', ''), unsure(st.text(max_size=3))
        ),
        '--batch': mostly(legal('1', '16'), wrong('x', '1.5'), unsure(st.text(max_size=2))),
        '--model': legal('toy', *OBJECTS),
        '--background': st.just(Value(None, True)),
        '--task': mostly(legal(*TASKS), wrong('', 'Instance', 'depth')),
        '--things': mostly(
            legal('sky', 'sky;'), wrong('a b c', 'nowhere.txt'), unsure(st.text(max_size=4))
        ),
    }
    given = st.fixed_dictionaries({'--out': options.pop('--out')}, optional=options)
    return st.builds(line_of, named, given)


def line_of(photos: Value, given: dict[str, Value]) -> Line:
    words = list(photos.value)
    for name, option in given.items():
        words += [name] if option.value is None else [name, option.value]
    parts = [photos.legal, *(option.legal for option in given.values())]
    unsure = None in parts or ('--background' in given and '--classes' not in given)
    if unsure or False in parts:
        return Line(words, False if False in parts else None)
    return Line(words, legal_objects({name: option.value for name, option in given.items()}))


def legal_objects(given: dict[str, str]) -> bool | None:
    """Whether the model of a line that is legal otherwise has the task, and the task the things."""
    task, things = given.get('--task', TASKS[0]), given.get('--things')
    if task == TASKS[0]:
        return things is None
    if given.get('--model') not in OBJECTS:
        return False
    known = task != 'instance' or things is not None or '--classes' not in given
    return True if known else None  # the config may name none of the classes
