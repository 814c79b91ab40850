"""COCO panoptic -> label maps of 133 classes and a number for each thing.

Reads   ROOT/annotations/panoptic_{train,val}2017.json and the PNG in the folders of that name
Writes  ROOT/panoptic_labels/{train,val}2017/*.png     (0-132, 255 ignored)
        ROOT/panoptic_things/{train,val}2017/*.png     (16 bits, 1, 2, ...; 0 stuff and crowds)

Crowds, of which each thing is not told apart, are ignored in train2017, as no training learns
them; tests of val2017 must know where they are. Photos in ROOT/{train,val}2017, if any, must have
the size of their labels.

    python tools/dataset_converters/coco_panoptic.py data/coco --nproc 8
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import check_size, convert_all, make_folders
from mmseg_zsclip.datasets.label_files import read_colour_labels, write_label_file
from mmseg_zsclip.vocabulary.class_names import canonical
from mmseg_zsclip.vocabulary.labels import IGNORE
from mmseg_zsclip.vocabulary.lists import load_classes

SPLITS = ('train2017', 'val2017')


def words(name: str) -> frozenset[str]:
    """What two spellings of a category share: 'wall-brick' and 'brick wall', 'tree-merged' and
    'tree'."""
    return frozenset(re.split('[ -]', name)) - {'merged', 'other', 'stuff'}


def labels_of(categories: Sequence[dict], path: Path) -> dict[int, tuple[int, bool]]:
    """Category id -> its label, and whether it is a thing.

    Raises:
        ValueError: categories that are not COCO's 133.
    """
    rows = sorted(categories, key=lambda row: row['id'])
    names = [canonical(name) for name in load_classes('coco_panoptic133')]
    things = len(load_classes('coco_things'))
    ours = [(words(name), i < things) for i, name in enumerate(names)]
    if [(words(row['name']), bool(row['isthing'])) for row in rows] != ours:
        raise ValueError(
            f'{path} has {len(rows)} categories, from {rows[0]["name"]!r} to {rows[-1]["name"]!r}, '
            f'which are not the {len(ours)} of COCO panoptic (80 things, then 53 of stuff). Give '
            'panoptic_annotations_trainval2017.zip.'
        )
    return {row['id']: (i, i < things) for i, row in enumerate(rows)}


def maps_of(
    ids: np.ndarray, segments: Sequence[dict], labels: dict[int, tuple[int, bool]], crowds: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (H, W) uint8 and numbers of things (H, W) uint16.

    Args:
        ids: (H, W, 3) uint8, RGB of a PNG: id = R + 256 G + 65536 B, 0 = no segment.
        segments: `id`, `category_id` and `iscrowd` of each.
        labels: see `labels_of`.
        crowds: they have a label, and no number; else they are ignored.

    Raises:
        ValueError: an id without segment.
    """
    ids = ids.astype(np.int64) @ (1, 256, 65536)
    there, place = np.unique(ids, return_inverse=True)
    classes = np.full(len(there), IGNORE, np.uint8)
    numbers = np.zeros(len(there), np.uint16)
    known = {segment['id']: segment for segment in segments}
    unknown = [int(one) for one in there if one and one not in known]
    if unknown:
        raise ValueError(f'ids {unknown[:5]} are no segments of the json. Are both of one release?')
    count = 0
    for i, one in enumerate(there):
        segment = known.get(one)
        if segment is None or (segment['iscrowd'] and not crowds):
            continue
        classes[i], thing = labels[segment['category_id']]
        if thing and not segment['iscrowd']:
            count += 1
            numbers[i] = count
    return classes[place].reshape(ids.shape), numbers[place].reshape(ids.shape)


def convert(
    source: Path,
    target: Path,
    things: Path,
    photo: Path,
    segments: Sequence[dict],
    labels: dict[int, tuple[int, bool]],
    crowds: bool,
) -> None:
    ids = read_colour_labels(str(source))
    check_size(photo, source, ids.shape)
    try:
        maps = maps_of(ids, segments, labels, crowds)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from None
    for one, path in zip(maps, (target, things), strict=True):
        write_label_file(one, path)


def jobs_of(root: Path, split: str) -> list[tuple]:
    path = root / 'annotations' / f'panoptic_{split}.json'
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding='utf-8'))
    labels = labels_of(content['categories'], path)
    folders = [root / f'panoptic_{kind}' / split for kind in ('labels', 'things')]
    return [
        (
            path.with_suffix('') / one['file_name'],
            *(folder / one['file_name'] for folder in folders),
            root / split / one['file_name'].replace('.png', '.jpg'),
            one['segments_info'],
            labels,
            split == 'val2017',
        )
        for one in content['annotations']
    ]


def main(argv: list[str] | None = None) -> None:
    args = converter_parser(__doc__).parse_args(argv)
    jobs = [job for split in SPLITS for job in jobs_of(args.root, split)]
    make_folders(path for job in jobs for path in job[1:3])
    convert_all(convert, jobs, args.nproc, f'panoptic_*2017.json in {args.root / "annotations"}')
    print(f'wrote {len(jobs)} label maps and instance maps (118287 + 5000 in the release)')


if __name__ == '__main__':
    run_tool(main)
