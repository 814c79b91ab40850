"""The toy world as a data set. Nothing is stored: its pictures and label maps have paths such as
`toy://toy/128/images/val_000007.png`, and are drawn when mmengine's file client reads one. So
every loader, hook and tool that reads photos and label maps reads these too."""

import re
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from mmengine.fileio import BaseStorageBackend, register_backend

from ..datasets.base import SegDataset, metainfo
from ..registry import DATASETS
from .world import Scene, World

# Scenes of each split that a data set holds by default; any index can be drawn.
LENGTHS = dict(train=4000, val=100, test=200)
KINDS = ('images', 'annotations', 'instances')
# At 128 pixels a scene is kept as 30 kB, so each process remembers at most 120 MB.
REMEMBERED = 4096
PATH = re.compile(rf'toy://(\w+)/(\d+)/({"|".join(KINDS)})/([a-z]+)_(\d+)\.png')
FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def toy_path(world: str, size: int, kind: str, split: str, index: int) -> str:
    """Path of a picture (`kind='images'`, RGB), of its label map (`'annotations'`, 255 = no
    class) or of its map of things (`'instances'`, 0 = stuff), all PNG of `size` pixels."""
    return f'toy://{world}/{size}/{kind}/{split}_{index:06d}.png'


@lru_cache(maxsize=REMEMBERED)
def _draw(world: str, size: int, split: str, index: int) -> dict[str, bytes]:
    scene = World(world, size).scene(split, index)
    maps = (np.ascontiguousarray(scene.image[..., ::-1]), scene.semantic, scene.instance)
    return {
        kind: cv2.imencode('.png', array, FAST)[1].tobytes()
        for kind, array in zip(KINDS, maps, strict=True)
    }


@register_backend('toy', force=True, prefixes='toy')
class ToyBackend(BaseStorageBackend):
    """Reads the paths of `toy_path`; a process remembers the last `REMEMBERED` scenes."""

    def get(self, filepath: str | Path) -> bytes:
        """Raises FileNotFoundError: no such picture can be drawn."""
        parts = PATH.fullmatch(str(filepath))
        try:
            if parts is None:
                raise ValueError('not a path of this form')
            world, size, kind, split, index = parts.groups()
            return _draw(world, int(size), split, int(index))[kind]
        except ValueError as error:
            raise FileNotFoundError(
                f'no toy picture {filepath}: {error}. Legal: toy://WORLD/SIZE/KIND/SPLIT_INDEX.png,'
                f' KIND one of {", ".join(KINDS)}, for example'
                f' {toy_path("toy", 128, "images", "val", 7)}.'
            ) from error

    def get_text(self, filepath: str | Path, encoding: str = 'utf-8') -> str:
        raise ValueError(f'{filepath} is a picture; nothing of the toy world is text.')


@DATASETS.register_module()
class ToyDataset(SegDataset):
    """Scenes of the world `'toy'`: 20 classes, every pixel has one.

    A sample also has `instance_path`, the map of its things, which `metainfo['things']` names;
    `scene` gives everything that is true of it.

    Args:
        split: `'train'`, `'val'` or `'test'`; none shares a scene with another.
        size: side of the pictures in pixels.
        length: number of scenes, by default 4000, 100 and 200.
        **kwargs: see mmseg's `BaseSegDataset`; folders have no meaning here.

    Raises:
        ValueError: unknown split, a size that the world does not draw, or no scene.
    """

    WORLD = 'toy'
    METAINFO = metainfo(
        WORLD,
        palette=(
            (120, 190, 235),
            (110, 180, 70),
            (30, 90, 170),
            (235, 210, 130),
            (95, 95, 100),
            (140, 115, 95),
            (180, 60, 50),
            (20, 110, 40),
            (200, 30, 150),
            (240, 130, 20),
            (250, 80, 100),
            (225, 235, 245),
            (245, 120, 200),
            (0, 200, 190),
            (90, 60, 200),
            (255, 235, 0),
            (255, 175, 140),
            (130, 20, 110),
            (150, 50, 0),
            (170, 255, 60),
        ),
    )

    def __init__(
        self, split: str = 'train', size: int = 128, length: int | None = None, **kwargs
    ) -> None:
        name = type(self).__name__
        if split not in LENGTHS:
            raise ValueError(f'{name}: unknown split {split!r}; legal: {", ".join(LENGTHS)}.')
        self.length = LENGTHS[split] if length is None else length
        if self.length < 1:
            raise ValueError(
                f'{name}: length {length} leaves no scene; legal: 1 and above, or None for'
                f' {LENGTHS[split]}.'
            )
        self.split = split
        self.world = World(self.WORLD, size)
        rows = zip(self.world.classes, self.world.is_thing, strict=True)
        facts = dict(things=[name for name, thing in rows if thing])
        super().__init__(
            img_suffix='.png', metainfo=facts | dict(kwargs.pop('metainfo', None) or {}), **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """One dict a scene: as mmseg's, and `instance_path`, `split` and `index`."""
        place = self.WORLD, self.world.size
        return [
            dict(
                img_path=toy_path(*place, 'images', self.split, i),
                seg_map_path=toy_path(*place, 'annotations', self.split, i),
                instance_path=toy_path(*place, 'instances', self.split, i),
                split=self.split,
                index=i,
                label_map=self.label_map,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            for i in range(self.length)
        ]

    def scene(self, idx: int) -> Scene:
        """Picture, label map, things and their colours of sample `idx`."""
        info = self.get_data_info(idx)
        return self.world.scene(info['split'], info['index'])


@DATASETS.register_module()
class ToyTargetDataset(ToyDataset):
    """Scenes of the world `'toy_target'`: another style of drawing, other classes, some of them
    two of `'toy'`'s together. For evaluation on a data set that training has not seen."""

    WORLD = 'toy_target'
    METAINFO = metainfo(WORLD)
