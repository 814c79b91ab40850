"""PASCAL Context -> 60 classes (0 = background) or all 459; the `detail` package is not needed.

Reads   ANNOTATIONS: the folder of *.mat (trainval.tar.gz; LabelMap of the 459 classes), or
        trainval_merged.json (60 classes only)
        ROOT/ImageSets/Main/{train,val}.txt for the *.mat   (ROOT = VOCdevkit/VOC2010)
Writes  ROOT/SegmentationClassContext/*.png, or ROOT/SegmentationClassContext459/*.png (16 bits,
        0-458, 65535 ignored), and ROOT/ImageSets/SegmentationContext/{train,val}.txt

Photos in ROOT/JPEGImages, if any, must have the size of their labels.
The pixels of each class are counted and printed, to compare two sources of the same labels.

    python tools/dataset_converters/pascal_context.py data/VOCdevkit/VOC2010 \\
        --annotations data/VOCdevkit/VOC2010/trainval --classes 60
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import (
    check_size,
    convert_all,
    lookup,
    read_names,
    write_names,
)
from mmseg_zsclip.datasets.label_files import write_label_file
from mmseg_zsclip.vocabulary.labels import IGNORE_LARGE
from mmseg_zsclip.vocabulary.lists import load_classes

FULL = load_classes('pc459')
FOLDERS = {60: 'SegmentationClassContext', 459: 'SegmentationClassContext459'}


def to_60(label_map: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8, 0 = background and every class outside the 59.

    Args:
        label_map: (H, W) values 0-459, 0 = unlabelled, i = the i-th of the 459 classes.
    """
    names = load_classes('context60')[1:]
    table = lookup({FULL.index(n) + 1: i + 1 for i, n in enumerate(names)}, 460, 0, np.uint8)
    return table[label_map]


def to_459(label_map: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint16: 0-458, 65535 ignored (0 in `label_map`)."""
    return lookup({i + 1: i for i in range(459)}, 460, IGNORE_LARGE, np.uint16)[label_map]


def read_mat(path: str | Path) -> np.ndarray:
    """`LabelMap` (H, W) of a file of the release, 0-459.

    Raises:
        ValueError: no LabelMap, or a value above 459.
    """
    data = loadmat(path)
    if 'LabelMap' not in data or data['LabelMap'].max() > 459:
        found = data['LabelMap'].max() if 'LabelMap' in data else 'no LabelMap'
        raise ValueError(
            f'{path}: {found}; legal: a LabelMap of 0 to 459. Give the folder of trainval.tar.gz.'
        )
    return data['LabelMap'].astype(np.int64)


def read_json(path: Path) -> tuple[list[dict], dict[int, list]]:
    """(images, segments by image) of trainval_merged.json."""
    data = json.loads(path.read_text())
    segments = defaultdict(list)
    for segment in data['annos_segmentation']:
        segments[segment['image_id']].append((segment['category_id'], segment['segmentation']))
    return data['images'], segments


def paint(height: int, width: int, segments: list[tuple[int, dict]]) -> np.ndarray:
    """Label map (H, W) of 0-459 from (category, run-length code) pairs, later ones on top."""
    from pycocotools.mask import decode

    label_map = np.zeros((height, width), np.int64)
    for category, code in segments:
        label_map[decode(code) > 0] = category
    return label_map


def check_names(folder: Path) -> None:
    """The release's labels.txt, where it lies beside the *.mat, must list our 459 names.

    Raises:
        ValueError: it lists others.
    """
    path = next(
        (p for p in (folder / 'labels.txt', folder.parent / 'labels.txt') if p.is_file()), None
    )
    if path is None:
        return
    rows = [line.split(':') for line in path.read_text().splitlines() if ':' in line]
    found = {int(i): name.strip() for i, name in rows if int(i) > 0}
    wrong = [
        f'{i}: {name}' for i, name in found.items() if not 1 <= i <= 459 or FULL[i - 1] != name
    ]
    if wrong:
        raise ValueError(
            f'{path} differs from names/pc459.txt: {"; ".join(wrong[:5])}. Is it the release of'
            ' PASCAL Context with 459 classes?'
        )


def save(label_map: np.ndarray, target: Path, num_classes: int) -> np.ndarray:
    """Writes the labels and returns the pixels of every class, (num_classes,)."""
    labels = to_60(label_map) if num_classes == 60 else to_459(label_map)
    write_label_file(labels, target)
    return np.bincount(labels.ravel(), minlength=num_classes)[:num_classes]


def convert_mat(source: Path, target: Path, photo: Path, num_classes: int) -> np.ndarray:
    label_map = read_mat(source)
    check_size(photo, source, label_map.shape)
    return save(label_map, target, num_classes)


def convert_segments(
    source: str, target: Path, photo: Path, size: tuple[int, int], segments: list
) -> np.ndarray:
    check_size(photo, source, size)
    return save(paint(*size, segments), target, 60)


def mat_jobs(root: Path, folder: Path, out: Path, classes: int) -> tuple[list, dict]:
    """(jobs, names by split): VOC 2010's train and val images that have a *.mat."""
    check_names(folder)
    splits, jobs = {}, []
    for split in ('train', 'val'):
        names = read_names(root / 'ImageSets' / 'Main' / f'{split}.txt')
        splits[split] = [name for name in names if (folder / f'{name}.mat').is_file()]
        jobs += [
            (
                folder / f'{name}.mat',
                out / f'{name}.png',
                root / 'JPEGImages' / f'{name}.jpg',
                classes,
            )
            for name in splits[split]
        ]
    return jobs, splits


def json_jobs(root: Path, path: Path, out: Path) -> tuple[list, dict]:
    """(jobs, names by split) of trainval_merged.json."""
    images, segments = read_json(path)
    splits, jobs = {'train': [], 'val': []}, []
    for image in images:
        file = image['file_name']
        name = Path(file).stem
        if image['phase'] in splits:
            splits[image['phase']].append(name)
            jobs.append(
                (
                    f'{path}: {file}',
                    out / f'{name}.png',
                    root / 'JPEGImages' / file,
                    (image['height'], image['width']),
                    segments[image['image_id']],
                )
            )
    return jobs, splits


def main(argv: list[str] | None = None) -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--annotations', type=Path, required=True)
    parser.add_argument('--classes', type=int, choices=sorted(FOLDERS), default=60)
    args = parser.parse_args(argv)
    out = args.root / FOLDERS[args.classes]
    out.mkdir(exist_ok=True)
    if args.annotations.suffix == '.json':
        if args.classes != 60:
            parser.error('trainval_merged.json has 60 classes: give the folder of *.mat for 459.')
        jobs, splits = json_jobs(args.root, args.annotations, out)
        function = convert_segments
    else:
        jobs, splits = mat_jobs(args.root, args.annotations, out, args.classes)
        function = convert_mat
    pixels = sum(convert_all(function, jobs, args.nproc, f'annotation in {args.annotations}'))
    for split, names in splits.items():
        write_names(names, args.root / 'ImageSets' / 'SegmentationContext' / f'{split}.txt')
    names = load_classes('context60') if args.classes == 60 else FULL
    for name, count in zip(names, pixels, strict=True):
        print(f'{name:24} {count:12}')
    counts = ', '.join(f'{len(names)} {split}' for split, names in splits.items())
    print(f'wrote {len(jobs)} label maps to {out} ({counts}; 4998 train, 5105 val in the release)')


if __name__ == '__main__':
    run_tool(main)
