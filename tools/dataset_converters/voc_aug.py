"""PASCAL VOC 2012 with the additional masks of SBD (10582 training images).

Reads   SBD/dataset/{cls/*.mat,train.txt,val.txt}           (benchmark.tgz)
        ROOT/ImageSets/Segmentation/{train,val}.txt         (ROOT = VOCdevkit/VOC2012)
Writes  ROOT/SegmentationClassAug/*.png, and ROOT/ImageSets/Segmentation/
        aug.txt (SBD only, 9118) and trainaug.txt (train.txt and aug.txt)

Photos in ROOT/JPEGImages, if any, must have the size of their masks.
VOC's own masks need no conversion: the 20-class set reads them with reduce_zero_label.

    python tools/dataset_converters/voc_aug.py data/VOCdevkit/VOC2012 data/VOCaug
"""

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import (
    check_size,
    convert_all,
    read_names,
    write_names,
)
from mmseg_zsclip.datasets.label_files import write_label_file


def read_sbd_mask(path: str | Path) -> np.ndarray:
    """Labels (H, W) uint8 of an SBD file: 0 background, 1-20.

    Raises:
        ValueError: no `GTcls.Segmentation` in it, or values above 20.
    """
    data = loadmat(path)
    if 'GTcls' not in data:
        raise ValueError(
            f'{path} has no GTcls (it has {sorted(k for k in data if k[0] != "_")}). Give the'
            ' folder that holds dataset/cls/*.mat, not dataset/inst.'
        )
    mask = data['GTcls']['Segmentation'][0, 0]
    if mask.max() > 20:
        raise ValueError(f'{path}: the mask holds {mask.max()}; legal: 0 to 20.')
    return mask.astype(np.uint8)


def split_names(
    voc_train: list[str], voc_val: list[str], sbd: list[str]
) -> tuple[list[str], list[str]]:
    """(aug, trainaug): SBD's images outside VOC's train and val; those and VOC's train."""
    aug = sorted(set(sbd) - set(voc_train) - set(voc_val))
    return aug, voc_train + aug


def convert(source: Path, target: Path, photo: Path) -> None:
    mask = read_sbd_mask(source)
    check_size(photo, source, mask.shape)
    write_label_file(mask, target)


def main(argv: list[str] | None = None) -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('sbd', type=Path, help='unpacked benchmark_RELEASE (holds dataset/)')
    args = parser.parse_args(argv)
    lists, sbd = args.root / 'ImageSets' / 'Segmentation', args.sbd / 'dataset'
    aug, trainaug = split_names(
        read_names(lists / 'train.txt'),
        read_names(lists / 'val.txt'),
        read_names(sbd / 'train.txt') + read_names(sbd / 'val.txt'),
    )
    out = args.root / 'SegmentationClassAug'
    out.mkdir(exist_ok=True)
    jobs = [
        (sbd / 'cls' / f'{name}.mat', out / f'{name}.png', args.root / 'JPEGImages' / f'{name}.jpg')
        for name in aug
    ]
    convert_all(convert, jobs, args.nproc, f'image of SBD outside VOC in {sbd}')
    write_names(aug, lists / 'aug.txt')
    write_names(trainaug, lists / 'trainaug.txt')
    print(
        f'wrote {len(aug)} masks; {len(trainaug)} training images in all'
        ' (9118 and 10582 with the full sets)'
    )


if __name__ == '__main__':
    run_tool(main)
