"""CamVid, original release -> 11 classes at 480x360, split into 367 train, 101 val, 233 test.

Reads   ROOT/701_StillsRaw_full/*.png, ROOT/LabeledApproved_full/*_L.png (960x720, 32 colours)
Writes  ROOT/images/{train,val,test}/*.jpg, ROOT/annotations/{train,val,test}/*.png

    python tools/dataset_converters/camvid.py data/camvid
"""

from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import check_size, convert_all, make_folders
from mmseg_zsclip.datasets.label_files import read_colour_labels, write_label_file
from mmseg_zsclip.datasets.photo_files import read_photo
from mmseg_zsclip.files import whole_file
from mmseg_zsclip.vocabulary.labels import IGNORE
from mmseg_zsclip.vocabulary.lists import load_classes

# The 31 labelled colours (R, G, B) under the class that each is scored as; (0, 0, 0) is void.
COLOURS = {
    'sky': [(128, 128, 128)],
    'building': [  # building, archway, bridge, tunnel, wall
        (128, 0, 0),
        (192, 0, 128),
        (0, 128, 64),
        (64, 0, 64),
        (64, 192, 0),
    ],
    'pole': [(192, 192, 128), (0, 0, 64)],  # column or pole, traffic cone
    'road': [(128, 64, 128), (128, 0, 192), (192, 0, 64)],  # road, lane markings
    'pavement': [(0, 0, 192), (64, 192, 128), (128, 128, 192)],  # parking block, road shoulder
    'tree': [(128, 128, 0), (192, 192, 0)],  # tree, other vegetation
    'sign': [(192, 128, 128), (128, 128, 64), (0, 64, 64)],  # sign, text, traffic light
    'fence': [(64, 64, 128)],
    'car': [  # car, SUV or pickup, lorry or bus, train, other moving
        (64, 0, 128),
        (64, 128, 192),
        (192, 128, 192),
        (192, 64, 128),
        (128, 64, 64),
    ],
    'pedestrian': [  # pedestrian, child, pram or cart, animal
        (64, 64, 0),
        (192, 128, 64),
        (64, 0, 192),
        (64, 128, 64),
    ],
    'bicyclist': [(0, 128, 192), (192, 0, 192)],  # bicyclist, motorcycle or scooter
}
UNKNOWN = 254
SIZE = (480, 360)  # width and height of what is written


def to_11(colours: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8: 0-10, 255 ignored.

    Args:
        colours: (H, W, 3) uint8, RGB of a `*_L.png`.

    Raises:
        ValueError: more than 1 % of the pixels have a colour that CamVid does not use (a few
            stray ones are ignored).
    """
    code = colours.astype(np.int64) @ (65536, 256, 1)
    labels = np.full(code.shape, UNKNOWN, np.uint8)
    labels[code == 0] = IGNORE
    for label, name in enumerate(load_classes('camvid')):
        for r, g, b in COLOURS[name]:
            labels[code == r * 65536 + g * 256 + b] = label
    unknown = labels == UNKNOWN
    if unknown.mean() > 0.01:
        raise ValueError(
            f'{100 * unknown.mean():.1f} % of the pixels have colours that CamVid does not use,'
            f' first {colours[unknown][0].tolist()}. Give the *_L.png of LabeledApproved_full.'
        )
    labels[unknown] = IGNORE
    return labels


def split_of(name: str) -> str:
    """'train', 'val' or 'test' of `<drive>_<frame>`: the split into 367, 101 and 233 photos
    that SegNet introduced."""
    drive, frame = name.split('_')[:2]
    frame = int(frame.lstrip('f'))
    if drive == '0016E5' and 7959 <= frame <= 8159 and frame % 2:
        return 'val'
    return 'test' if drive == 'Seq05VD' or (drive == '0001TP' and frame > 8520) else 'train'


def convert(photo: Path, out_photo: Path, labels: Path, out_labels: Path) -> None:
    colours = read_colour_labels(str(labels))
    check_size(photo, labels, colours.shape)
    try:
        label_map = to_11(colours)
    except ValueError as error:
        raise ValueError(f'{labels}: {error}') from None
    label_map = Image.fromarray(label_map).resize(SIZE, Image.Resampling.NEAREST)
    write_label_file(np.asarray(label_map), out_labels)
    with whole_file(out_photo) as partial:
        Image.fromarray(read_photo(str(photo), 'rgb')).resize(SIZE, Image.Resampling.BOX).save(
            partial, format='JPEG', quality=95
        )


def main(argv: list[str] | None = None) -> None:
    args = converter_parser(__doc__).parse_args(argv)
    photos = sorted((args.root / '701_StillsRaw_full').glob('*.png'))
    labels = args.root / 'LabeledApproved_full'
    jobs = []
    for photo in photos:
        name, split = photo.stem, split_of(photo.stem)
        jobs.append(
            (
                photo,
                args.root / 'images' / split / f'{name}.jpg',
                labels / f'{name}_L.png',
                args.root / 'annotations' / split / f'{name}.png',
            )
        )
    make_folders(path for job in jobs for path in (job[1], job[3]))
    convert_all(convert, jobs, args.nproc, f'photo (*.png) in {args.root / "701_StillsRaw_full"}')
    print(f'wrote {len(photos)} photos and label maps (701 in the release)')


if __name__ == '__main__':
    run_tool(main)
