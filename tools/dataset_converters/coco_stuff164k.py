"""COCO-Stuff 164k: raw ids (0-181 with holes) -> label maps of 171 classes, or of COCO-Object's 81.

Reads   ROOT/annotations/{train2017,val2017}/*.png          (stuffthingmaps_trainval2017.zip)
Writes  ROOT/annotations/{train2017,val2017}/*_labelTrainIds.png
        ROOT/annotations/{train2017,val2017}/*_instanceTrainIds.png  (--objects)

Photos in ROOT/images/{train2017,val2017}, if any, must have the size of their labels.

    python tools/dataset_converters/coco_stuff164k.py data/coco_stuff164k --nproc 8
    python tools/dataset_converters/coco_stuff164k.py data/coco_stuff164k --nproc 8 --objects
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import check_size, convert_all, lookup
from mmseg_zsclip.datasets.label_files import read_label_file, write_label_file

# Ids of COCO's 91 things and 91 stuff classes that the data set never uses.
UNUSED = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
USED = [i for i in range(182) if i not in UNUSED]
THINGS = 91  # the first id of stuff
ENDING = '_labelTrainIds.png'
OBJECT_ENDING = '_instanceTrainIds.png'  # the name that GroupViT's converter gave such files


def to_train_ids(raw: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8: 0-170, 255 ignored.

    Args:
        raw: (H, W) ids as COCO-Stuff stores them: 0-181, 255 = unlabelled.

    Raises:
        ValueError: an id that COCO-Stuff does not use.
    """
    table = lookup({i: label for label, i in enumerate(USED)} | {255: 255}, 256, 254, np.uint8)
    labels = table[raw]
    if (labels == 254).any():
        raise ValueError(
            f'ids {np.unique(raw[labels == 254]).tolist()} are not used by COCO-Stuff; legal: 0-181'
            f' without {", ".join(map(str, UNUSED))}, and 255.'
        )
    return labels


def to_objects(raw: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8 of COCO-Object: 1-80 things, 0 stuff and what has no label.

    Raises: see `to_train_ids`.
    """
    labels = to_train_ids(raw)
    return np.where(raw < THINGS, labels + 1, 0).astype(np.uint8)


def convert(path: Path, target: Path, photo: Path, function: Callable) -> None:
    raw = read_label_file(str(path))
    check_size(photo, path, raw.shape)
    try:
        labels = function(raw)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    write_label_file(labels, target)


def main(argv: list[str] | None = None) -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--objects', action='store_true', help='the 81 classes of COCO-Object')
    args = parser.parse_args(argv)
    function, ending = (to_objects, OBJECT_ENDING) if args.objects else (to_train_ids, ENDING)
    folders = [args.root / 'annotations' / split for split in ('train2017', 'val2017')]
    jobs = []
    for folder in folders:
        for path in sorted(folder.glob('*.png')):
            if not path.name.endswith((ENDING, OBJECT_ENDING)):
                photo = args.root / 'images' / folder.name / f'{path.stem}.jpg'
                jobs.append((path, path.with_name(path.stem + ending), photo, function))
    convert_all(convert, jobs, args.nproc, f'raw label map (*.png) in {folders[0]} or {folders[1]}')
    print(f'wrote {len(jobs)} label maps *{ending}')


if __name__ == '__main__':
    run_tool(main)
