"""Writes scenes as the files that other tools read: PASCAL VOC, COCO panoptic, COCO instances.

ROOT/voc/   JPEGImages/*.jpg, SegmentationClass/*.png, SegmentationObject/*.png,
            ImageSets/Segmentation/<split>.txt, classes.txt, unseen.txt
ROOT/coco/  <split>/*.jpg, annotations/panoptic_<split>/*.png,
            annotations/{panoptic,instances}_<split>.json
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from mmengine.utils import track_parallel_progress, track_progress
from PIL import Image

from ..datasets.base import distinct_colours
from ..datasets.converting import write_names
from ..files import made_folder, whole_file
from ..vocabulary.lists import load_classes, load_unseen
from .world import NO_CLASS, Scene, World

FORMATS = ('voc', 'coco')
VOC_BORDER = 255
JPEG_QUALITY = 95
PALETTE = sum(distinct_colours(255), [0, 0, 0])


def export(
    root: str | Path,
    world: World,
    split: str,
    count: int,
    formats: Sequence[str] = FORMATS,
    border: int = 1,
    nproc: int = 1,
) -> None:
    """Writes scenes `0..count-1` of a split, with a progress bar. A file is there whole or not at
    all; the lists of scenes (`.txt`, `.json`) come last.

    Args:
        root: folder; made when it does not exist.
        world: what draws them.
        split: `'train'`, `'val'` or `'test'`.
        count: number of scenes.
        formats: one or more of `FORMATS`.
        border: see `voc_labels`.
        nproc: processes.

    Raises:
        ValueError: no scene, no or an unknown format, an unknown split.
    """
    unknown = [kind for kind in formats if kind not in FORMATS]
    if unknown or not formats:
        raise ValueError(
            f'export: unknown formats {unknown}; give one or more of: {", ".join(FORMATS)}.'
        )
    if count < 1:
        raise ValueError(f'export: {count} scenes; legal: 1 and above.')
    world.rng('scene', split, 0)
    voc, coco = Path(root) / 'voc', Path(root) / 'coco'
    folders = {
        'voc': [voc / 'JPEGImages', voc / 'SegmentationClass', voc / 'SegmentationObject'],
        'coco': [coco / split, coco / 'annotations' / f'panoptic_{split}'],
    }
    for kind in formats:
        for folder in folders[kind]:
            made_folder(folder)
    job = partial(
        _write_scene, world, split, [folders[kind] for kind in FORMATS], tuple(formats), border
    )
    scenes = list(range(count))
    if nproc <= 1:
        rows = track_progress(job, scenes)
    else:
        rows = track_parallel_progress(job, scenes, nproc, keep_order=True)
    print()
    if 'voc' in formats:
        write_names(load_classes(world.name), voc / 'classes.txt')
        write_names(load_unseen(world.name), voc / 'unseen.txt')
        write_names(
            [scene_name(split, i) for i in scenes],
            voc / 'ImageSets' / 'Segmentation' / f'{split}.txt',
        )
    if 'coco' in formats:
        for kind, content in coco_files(world, split, rows).items():
            with whole_file(coco / 'annotations' / f'{kind}_{split}.json') as path:
                path.write_text(json.dumps(content))


def scene_name(split: str, index: int) -> str:
    """Name of a scene's files, without ending: `'val_000007'`."""
    return f'{split}_{index:06d}'


def voc_labels(scene: Scene, border: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Classes and things as PASCAL VOC stores them, both (S, S) uint8: 0 is background, so class
    0 of the world is 1; of the things n is `things[n - 1]`. In both, `border` pixels on either
    side of a thing's outline are 255."""
    classes = np.where(scene.semantic == NO_CLASS, 0, scene.semantic + 1).astype(np.uint8)
    things = scene.instance.copy()
    if border:
        around = np.ones((2 * border + 1, 2 * border + 1), np.uint8)
        edge = cv2.dilate(things, around) != cv2.erode(things, around)
        classes[edge] = things[edge] = VOC_BORDER
    return classes, things


def coco_categories(world: World) -> list[dict]:
    """COCO's `categories`: things first, then stuff, with ids from 1, as in COCO and as mmdet's
    panoptic heads need them. `label` is the class index in the world."""
    order = sorted(range(len(world.classes)), key=lambda label: not world.is_thing[label])
    return [
        dict(
            id=i,
            name=world.classes[label],
            label=label,
            isthing=int(world.is_thing[label]),
            supercategory='thing' if world.is_thing[label] else 'stuff',
        )
        for i, label in enumerate(order, 1)
    ]


def coco_metainfo(world: World) -> dict:
    """`metainfo` with which mmdet's CocoPanopticDataset reads the files; for its CocoDataset take
    `thing_classes` as `classes`."""
    rows = coco_categories(world)
    things = tuple(row['name'] for row in rows if row['isthing'])
    stuff = tuple(row['name'] for row in rows if not row['isthing'])
    return dict(
        classes=things + stuff,
        thing_classes=things,
        stuff_classes=stuff,
        palette=[tuple(colour) for colour in distinct_colours(len(rows))],
    )


def coco_scene(scene: Scene) -> tuple[np.ndarray, list[dict]]:
    """Segment ids (S, S, 3) uint8 as COCO stores them (R + 256 G + 65536 B, 0 = none), and its
    segments: `id`, `label`, `isthing`, `area`, `bbox` (x, y, width, height) and
    `segmentation` (COCO's run-length code)."""
    from pycocotools import mask as codes

    ids, segments = scene.panoptic()
    for segment in segments:
        code = codes.encode(np.asfortranarray(ids == segment['id'], dtype=np.uint8))
        segment['bbox'] = codes.toBbox(code).tolist()
        segment['segmentation'] = dict(size=code['size'], counts=code['counts'].decode())
    return np.stack([ids >> shift & 255 for shift in (0, 8, 16)], -1).astype(np.uint8), segments


def coco_files(world: World, split: str, rows: list[list[dict]]) -> dict[str, dict]:
    """Content of the `panoptic` and the `instances` file; `rows` are the segments of scenes
    0, 1, ... as `coco_scene` gives them. Ids of instances begin with 1: COCO's evaluation
    takes 0 for "none"."""
    categories = coco_categories(world)
    ids = {row.pop('label'): row['id'] for row in categories}
    images = [
        dict(id=i, file_name=f'{scene_name(split, i)}.jpg', width=world.size, height=world.size)
        for i in range(len(rows))
    ]
    panoptic, instances = [], []
    for image, segments in zip(images, rows, strict=True):
        infos = [
            dict(id=s['id'], category_id=ids[s['label']], area=s['area'], bbox=s['bbox'], iscrowd=0)
            for s in segments
        ]
        panoptic.append(
            dict(
                image_id=image['id'],
                segments_info=infos,
                file_name=image['file_name'].replace('.jpg', '.png'),
            )
        )
        for segment, info in zip(segments, infos, strict=True):
            if segment['isthing']:
                instances.append(
                    info
                    | dict(
                        id=len(instances) + 1,
                        image_id=image['id'],
                        segmentation=segment['segmentation'],
                    )
                )
    common = dict(info=dict(description=f'{world!r}, {split}'), licenses=[], images=images)
    things = [row for row in categories if row['isthing']]
    return dict(
        panoptic=common | dict(categories=categories, annotations=panoptic),
        instances=common | dict(categories=things, annotations=instances),
    )


def _write_scene(
    world: World,
    split: str,
    folders: list[list[Path]],
    formats: tuple[str, ...],
    border: int,
    index: int,
) -> list[dict]:
    """Returns the segments for `coco_files`; none when only VOC is written."""
    scene, name = world.scene(split, index), scene_name(split, index)
    (photos, classes, things), (pictures, segments) = folders
    rows = []
    if 'voc' in formats:
        _save(scene.image, photos / f'{name}.jpg')
        for labels, folder in zip(voc_labels(scene, border), (classes, things), strict=True):
            _save(labels, folder / f'{name}.png', palette=True)
    if 'coco' in formats:
        ids, rows = coco_scene(scene)
        _save(scene.image, pictures / f'{name}.jpg')
        _save(ids, segments / f'{name}.png')
    return rows


def _save(array: np.ndarray, path: Path, palette: bool = False) -> None:
    image = Image.fromarray(array)
    if palette:
        image.putpalette(PALETTE)
    with whole_file(path) as partial_path:
        image.save(
            partial_path, format='PNG' if path.suffix == '.png' else 'JPEG', quality=JPEG_QUALITY
        )
