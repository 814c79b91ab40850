"""ADE20K, full release (ADE20K_2021_17_01) -> the 847 classes of MaskFormer's benchmark.

Reads   ROOT/images/ADE/{training,validation}/**/ADE_*.jpg and ADE_*_seg.png
Writes  ROOT/images_847/{training,validation}/*.jpg, ROOT/annotations_847/.../*.png (16 bits,
        0-846, 65535 ignored)

As in MaskFormer, images whose short side is above 512 are shrunk to 512 (--short-side 0: not).
Photos are turned by their EXIF orientation, and must then have the size of their labels.
The release's pickle is not read: class ids are in the images and in ade20k_full_ids.txt.

    python tools/dataset_converters/ade20k_full.py data/ade/ADE20K_2021_17_01 --nproc 8
"""

import shutil
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import check_size, convert_all, lookup, make_folders
from mmseg_zsclip.datasets.label_files import read_colour_labels, write_label_file
from mmseg_zsclip.datasets.photo_files import read_photo
from mmseg_zsclip.files import whole_file
from mmseg_zsclip.vocabulary.labels import IGNORE_LARGE

IDS = [int(i) for i in Path(__file__).with_name('ade20k_full_ids.txt').read_text().split()]
TABLE = lookup({i: label for label, i in enumerate(IDS)}, 26 * 256, IGNORE_LARGE, np.uint16)


def to_847(seg: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint16: 0-846, 65535 ignored.

    Args:
        seg: (H, W, 3) uint8, RGB of a `*_seg.png`: class id = R // 10 * 256 + G.
    """
    return TABLE[seg[..., 0].astype(np.int64) // 10 * 256 + seg[..., 1]]


def shrunk_size(height: int, width: int, short_side: int) -> tuple[int, int] | None:
    """(height, width) after shrinking the short side to `short_side`; None: leave it."""
    if not 0 < short_side < min(height, width):
        return None
    if width >= height:
        return short_side, round(width / height * short_side)
    return round(height / width * short_side), short_side


def convert(photo: Path, out_photo: Path, out_labels: Path, short_side: int) -> None:
    source = photo.with_name(photo.stem + '_seg.png')
    try:
        seg = read_colour_labels(str(source))
    except ValueError as error:
        raise ValueError(
            f'{error} Give the full release of ADE20K, not the challenge set of 150 classes.'
        ) from None
    check_size(photo, source, seg.shape)
    labels = to_847(seg)
    size = shrunk_size(*labels.shape, short_side)
    with whole_file(out_photo) as partial:
        if size is None:
            shutil.copyfile(photo, partial)
        else:
            # OpenCV and its rounding, so that labels equal those of the published benchmark.
            pixels = read_photo(str(photo), 'rgb')
            pixels = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_LINEAR)
            labels = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)
            Image.fromarray(pixels).save(partial, format='JPEG', quality=95)
        write_label_file(labels, out_labels)


def main(argv: list[str] | None = None) -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--short-side', type=int, default=512)
    args = parser.parse_args(argv)
    jobs = []
    for split in ('training', 'validation'):
        photos, labels = (args.root / f'{kind}_847' / split for kind in ('images', 'annotations'))
        for photo in sorted((args.root / 'images' / 'ADE' / split).rglob('ADE_*.jpg')):
            jobs.append((photo, photos / photo.name, labels / f'{photo.stem}.png', args.short_side))
    make_folders(path for job in jobs for path in job[1:3])
    convert_all(convert, jobs, args.nproc, f'photo ADE_*.jpg in {args.root / "images" / "ADE"}')
    print(f'wrote {len(jobs)} photos and label maps (25574 + 2000 in the release)')


if __name__ == '__main__':
    run_tool(main)
