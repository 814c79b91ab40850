"""Cityscapes: label ids (0-33) -> 19 classes.

Reads   ROOT/gtFine/{train,val}/*/*_gtFine_labelIds.png     (gtFine_trainvaltest.zip)
Writes  ROOT/gtFine/{train,val}/*/*_gtFine_labelTrainIds.png

The shipped id images are used, so neither cityscapesscripts nor the polygons are needed. Photos in
ROOT/leftImg8bit, if any, must have the size of their labels.

    python tools/dataset_converters/cityscapes.py data/cityscapes
"""

from pathlib import Path

import numpy as np

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import check_size, convert_all, lookup
from mmseg_zsclip.datasets.label_files import read_label_file, write_label_file

# Ids of the 19 scored classes in the order of their train ids; all others are ignored.
SCORED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def to_train_ids(ids: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8: 0-18, 255 ignored.

    Args:
        ids: (H, W) label ids, 0-33.

    Raises:
        ValueError: an id above 33.
    """
    if ids.max() > 33:
        raise ValueError(
            f'label id {ids.max()}; legal: 0 to 33. Give the *_gtFine_labelIds.png files.'
        )
    return lookup({i: label for label, i in enumerate(SCORED)}, 34, 255, np.uint8)[ids]


def convert(path: Path, target: Path, photo: Path) -> None:
    ids = read_label_file(str(path))
    check_size(photo, path, ids.shape)
    try:
        labels = to_train_ids(ids)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    write_label_file(labels, target)


def main(argv: list[str] | None = None) -> None:
    args = converter_parser(__doc__).parse_args(argv)
    jobs = []
    for split in ('train', 'val'):
        for path in sorted((args.root / 'gtFine' / split).glob('*/*_gtFine_labelIds.png')):
            photo = path.name.replace('_gtFine_labelIds', '_leftImg8bit')
            jobs.append(
                (
                    path,
                    path.with_name(path.name.replace('_labelIds', '_labelTrainIds')),
                    args.root / 'leftImg8bit' / split / path.parent.name / photo,
                )
            )
    convert_all(convert, jobs, args.nproc, f'*_gtFine_labelIds.png in {args.root / "gtFine"}')
    print(f'wrote {len(jobs)} label maps *_labelTrainIds.png')


if __name__ == '__main__':
    run_tool(main)
