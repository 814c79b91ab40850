"""COCO instances -> the 48 base and 17 novel classes of open-vocabulary instance segmentation.

Reads   ROOT/annotations/instances_{train,val}2017.json
Writes  ROOT/base_novel_labels/{train,val}2017/*.png     (0-64, 255 ignored)
        ROOT/base_novel_things/{train,val}2017/*.png     (16 bits, 1, 2, ...; 0 no thing)
        ROOT/annotations/instances_val2017_{base,novel,all}.json
        ROOT/lists/train2017_base.txt, ROOT/lists/val2017_{base,novel,all}.txt

A list or a json holds the photos that have one of its classes, a json those classes alone. A pixel
of two things is of the smaller, and of base classes first: where the novel ones are hidden, the
others are as if they had never been annotated. Crowds are ignored. Tests take the json, in which
things overlap. Photos in ROOT/{train,val}2017, if any, must have the size of their labels.

    python tools/dataset_converters/coco_base_novel.py data/coco --nproc 8
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import (
    check_size,
    convert_all,
    make_folders,
    write_names,
)
from mmseg_zsclip.datasets.label_files import write_label_file
from mmseg_zsclip.files import write_json
from mmseg_zsclip.vocabulary.labels import IGNORE
from mmseg_zsclip.vocabulary.lists import load_classes

NAMES = load_classes('coco65')
GROUPS = dict(base=load_classes('coco48'), novel=load_classes('coco17'), all=NAMES)
SPLITS = dict(train2017=('base',), val2017=('base', 'novel', 'all'))


def mask_of(segmentation: list | dict, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of polygons or of a run-length code."""
    from pycocotools import mask as codes

    if isinstance(segmentation, list):
        code = codes.merge(codes.frPyObjects(segmentation, *size))
    else:
        packed = isinstance(segmentation['counts'], str)
        code = segmentation if packed else codes.frPyObjects(segmentation, *size)
    return codes.decode(code) > 0


def maps_of(
    size: tuple[int, int], things: Sequence[tuple[int, float, list | dict]]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (H, W) uint8 and numbers of things (H, W) uint16.

    Args:
        things: label, area and segmentation of each.
    """
    novel = {NAMES.index(name) for name in GROUPS['novel']}
    labels, numbers = np.full(size, IGNORE, np.uint8), np.zeros(size, np.uint16)
    order = sorted(things, key=lambda thing: (thing[0] not in novel, -thing[1]))
    for number, (label, _, segmentation) in enumerate(order, 1):
        mask = mask_of(segmentation, size)
        labels[mask], numbers[mask] = label, number
    return labels, numbers


def convert(
    source: str, target: Path, things: Path, photo: Path, size: tuple[int, int], rows: Sequence
) -> None:
    check_size(photo, source, size)
    for one, path in zip(maps_of(size, rows), (target, things), strict=True):
        write_label_file(one, path)


def part_of(content: dict, names: Sequence[str]) -> dict:
    """The json of some classes: their annotations, and the images that have one.

    Raises:
        ValueError: a class that is no category.
    """
    rows = [row for row in content['categories'] if row['name'] in names]
    if len(rows) < len(names):
        missing = sorted({*names} - {row['name'] for row in rows})
        raise ValueError(
            f'{len(missing)} classes are no category of the json, the first {missing[0]!r}. Give '
            'instances_*2017.json of COCO (annotations_trainval2017.zip).'
        )
    ids = {row['id'] for row in rows}
    annotations = [row for row in content['annotations'] if row['category_id'] in ids]
    there = {row['image_id'] for row in annotations}
    images = [row for row in content['images'] if row['id'] in there]
    return dict(content, images=images, annotations=annotations, categories=rows)


def jobs_of(root: Path, split: str) -> list[tuple]:
    """Writes the lists and the jsons of a split, and returns its photos as jobs."""
    path = root / 'annotations' / f'instances_{split}.json'
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding='utf-8'))
    try:
        parts = {group: part_of(content, GROUPS[group]) for group in {*SPLITS[split], 'all'}}
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    for group in SPLITS[split]:
        names = sorted(Path(row['file_name']).stem for row in parts[group]['images'])
        write_names(names, root / 'lists' / f'{split}_{group}.txt')
        if split == 'val2017':
            write_json(path.with_name(f'{path.stem}_{group}.json'), parts[group])
    things = defaultdict(list)
    labels = {row['id']: NAMES.index(row['name']) for row in parts['all']['categories']}
    for row in parts['all']['annotations']:
        if not row['iscrowd']:
            label = labels[row['category_id']]
            things[row['image_id']].append((label, row['area'], row['segmentation']))
    folders = [root / f'base_novel_{kind}' / split for kind in ('labels', 'things')]
    return [
        (
            f'{path}: {row["file_name"]}',
            *(folder / f'{Path(row["file_name"]).stem}.png' for folder in folders),
            root / split / row['file_name'],
            (row['height'], row['width']),
            things[row['id']],
        )
        for row in parts[SPLITS[split][-1]]['images']
    ]


def main(argv: list[str] | None = None) -> None:
    args = converter_parser(__doc__).parse_args(argv)
    jobs = [job for split in SPLITS for job in jobs_of(args.root, split)]
    make_folders(path for job in jobs for path in job[1:3])
    convert_all(convert, jobs, args.nproc, f'instances_*2017.json in {args.root / "annotations"}')
    print(f'wrote {len(jobs)} label maps and instance maps (107761 + 4836 in the release)')


if __name__ == '__main__':
    run_tool(main)
