"""ADE20K panoptic (challenge) -> label maps of 150 classes and a number for each thing.

Reads   ROOT/annotations/{training,validation}/*.png            (0 = other, 1-150)
        ROOT/annotations_instance/{training,validation}/*.png   (annotations_instance.tar: R = which
        of the 100 things, G = its number in the photo)
Writes  ROOT/panoptic_labels/{training,validation}/*.png        (0-149, 255 ignored)
        ROOT/panoptic_things/{training,validation}/*.png        (1, 2, ...; 0 stuff)

As in Mask2Former's benchmark: things are those of the instances, and lie over the stuff; a pixel
that is of a thing by its label alone is ignored. Photos in ROOT/images, if any, must have the size
of their labels.

    python tools/dataset_converters/ade20k_panoptic.py data/ade/ADEChallengeData2016 --nproc 8
"""

from pathlib import Path

import numpy as np

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.datasets.converting import check_size, convert_all, lookup, make_folders
from mmseg_zsclip.datasets.label_files import (
    check_sizes,
    read_colour_labels,
    read_label_file,
    write_label_file,
)
from mmseg_zsclip.vocabulary.class_names import canonical
from mmseg_zsclip.vocabulary.labels import IGNORE
from mmseg_zsclip.vocabulary.lists import load_classes

NAMES = [canonical(name) for name in load_classes('ade150_words')]
THINGS = [NAMES.index(name) for name in load_classes('ade_things')]  # by the ids of instances
STUFF = lookup(
    {i + 1: i for i in range(len(NAMES)) if i not in THINGS}, len(NAMES) + 1, IGNORE, np.uint8
)
OF_INSTANCE = lookup(dict(enumerate(THINGS, 1)), len(THINGS) + 1, IGNORE, np.uint8)


def maps_of(labels: np.ndarray, instances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (H, W) uint8 and numbers of things (H, W) uint8.

    Args:
        labels: (H, W) uint8, 0 = other, 1-150.
        instances: (H, W, 3) uint8, RGB of an instance map.

    Raises:
        ValueError: a value above 150 classes or 100 things.
    """
    things, numbers = instances[..., 0], instances[..., 1]
    for what, values, table in (('class', labels, STUFF), ('thing', things, OF_INSTANCE)):
        if values.max() >= len(table):
            raise ValueError(
                f'{what} {values.max()}; legal: 0 to {len(table) - 1}. Give the scene parsing '
                'challenge (ADEChallengeData2016) and its annotations_instance.'
            )
    numbers = np.where(things > 0, numbers, 0).astype(np.uint8)
    return np.where(numbers > 0, OF_INSTANCE[things], STUFF[labels]), numbers


def convert(source: Path, target: Path, things: Path, instances: Path, photo: Path) -> None:
    labels, numbers = read_label_file(str(source)), read_colour_labels(str(instances))
    check_size(photo, source, labels.shape)
    check_sizes(str(source), labels.shape, str(instances), numbers.shape)
    try:
        maps = maps_of(labels, numbers)
    except ValueError as error:
        raise ValueError(f'{source} and {instances}: {error}') from None
    for one, path in zip(maps, (target, things), strict=True):
        write_label_file(one, path)


def main(argv: list[str] | None = None) -> None:
    args = converter_parser(__doc__).parse_args(argv)
    jobs = []
    for split in ('training', 'validation'):
        folders = [args.root / f'panoptic_{kind}' / split for kind in ('labels', 'things')]
        for path in sorted((args.root / 'annotations' / split).glob('*.png')):
            instances = args.root / 'annotations_instance' / split / path.name
            photo = args.root / 'images' / split / f'{path.stem}.jpg'
            jobs.append((path, *(folder / path.name for folder in folders), instances, photo))
    make_folders(path for job in jobs for path in job[1:3])
    convert_all(convert, jobs, args.nproc, f'label map (*.png) in {args.root / "annotations"}')
    print(f'wrote {len(jobs)} label maps and instance maps (20210 + 2000 in the release)')


if __name__ == '__main__':
    run_tool(main)
