"""COCO-Stuff 164k: raw ids (0-181 with holes) -> label maps of 171 classes.

Reads   ROOT/annotations/{train2017,val2017}/*.png          (stuffthingmaps_trainval2017.zip)
Writes  ROOT/annotations/{train2017,val2017}/*_labelTrainIds.png

    python tools/dataset_converters/coco_stuff164k.py data/coco_stuff164k --nproc 8
"""
from pathlib import Path

import numpy as np

from mmseg_zsclip.datasets.converting import convert_all, converter_parser, lookup
from mmseg_zsclip.datasets.label_files import read_label_file, write_label_file

# Ids of COCO's 91 things and 91 stuff classes that the data set never uses.
UNUSED = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
USED = [i for i in range(182) if i not in UNUSED]
ENDING = '_labelTrainIds.png'


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
            f' without {", ".join(map(str, UNUSED))}, and 255.')
    return labels


def convert(path: Path) -> None:
    try:
        labels = to_train_ids(read_label_file(str(path)))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    write_label_file(labels, path.with_name(path.stem + ENDING))


def main(argv: list[str] | None = None) -> None:
    args = converter_parser(__doc__).parse_args(argv)
    folders = [args.root / 'annotations' / split for split in ('train2017', 'val2017')]
    jobs = [(path, ) for folder in folders for path in sorted(folder.glob('*.png'))
            if not path.name.endswith(ENDING)]
    convert_all(convert, jobs, args.nproc, f'raw label map (*.png) in {folders[0]} or {folders[1]}')
    print(f'wrote {len(jobs)} label maps *{ENDING}')


if __name__ == '__main__':
    main()
