"""`zsclip segment PHOTOS... --classes "road; car, automobile" --out DIR`."""

import argparse
import sys
from functools import partial
from pathlib import Path

from .. import compat
from ..annotations import FORMATS
from ..files import check_folder
from ..vocabulary.class_names import split_names
from ..vocabulary.labels import TASKS
from .launching import add_segmenter_arguments

ENGINES = ('local', 'ray')
RASTERS = 'geotiff'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'photos',
        nargs='+',
        metavar='PHOTO',
        help='files, folders, patterns in quotes, or @LIST, a text file with one of these a line',
    )
    add_segmenter_arguments(parser)
    parser.add_argument('--out', required=True, type=Path, help='folder of the results; made')
    parser.add_argument(
        '--model',
        default='maskclip-vit-b16',
        help="a name of `zsclip models`, or a config's (default: %(default)s, which fetches "
        "OpenAI's CLIP once; toy needs no network)",
    )
    parser.add_argument(
        '--format',
        type=formats,
        default=['png'],
        metavar='NAME,...',
        help=f'{", ".join(FORMATS)}; label maps (png) are always written (default: png). Or '
        f'{RASTERS} alone: rasters of any size, with their coordinates (extra `geo`)',
    )
    parser.add_argument(
        '--background', action='store_true', help='a last class for everything else'
    )
    parser.add_argument(
        '--threshold',
        type=float,
        help='pixels whose class is less probable are of no class, and less probable objects are '
        'left out (0 to 1; default: 0, of instances 0.3, of panoptic segments as the config says)',
    )
    parser.add_argument(
        '--task',
        choices=TASKS,
        default=TASKS[0],
        help='what is written: classes, or objects, where the model has them (default: semantic)',
    )
    parser.add_argument(
        '--things',
        help='classes whose things are objects, as --classes (default: as the config says)',
    )
    parser.add_argument('--batch', type=int, default=4, help='photos at a time (default: 4)')
    parser.add_argument(
        '--engine',
        choices=ENGINES,
        default='local',
        help='ray: workers on this machine or on a Ray cluster (extra `ray`; default: local)',
    )
    parser.add_argument('--workers', type=int, default=2, help='of --engine ray (default: 2)')


def formats(text: str) -> list[str]:
    """`'png,coco'` -> `['png', 'coco']`."""
    names = split_names(text)
    unknown = [name for name in names if name not in FORMATS]
    if unknown and names != [RASTERS]:
        raise argparse.ArgumentTypeError(
            f'{unknown[0]!r} is none of {", ".join(FORMATS)}, and {RASTERS} stands alone'
        )
    return names


def job_of(args: argparse.Namespace):
    """The `Job` that the options ask for."""
    compat.setup(now=True)
    from ..apis.segmenter import ZeroShotSegmenter

    segmenter = ZeroShotSegmenter(args.model, args.weights, batch_size=args.batch)
    job = asked_of(segmenter, args)
    job.settings |= dict(model=args.model, weights=args.weights)
    return job


def asked_of(segmenter, args: argparse.Namespace):
    """The `Job` of a `ZeroShotSegmenter`, whatever model `args` names."""
    from ..apis.segment_photos import zero_shot_job

    return zero_shot_job(
        segmenter,
        args.classes,
        args.background or None,
        args.threshold,
        args.format,
        args.task,
        args.things,
    )


def run(args: argparse.Namespace) -> int:
    if args.format == [RASTERS] and args.engine == 'ray':
        sys.exit(f'zsclip: --format {RASTERS} has no --engine ray. Leave --engine out.')
    if args.format == [RASTERS] and args.task != TASKS[0]:
        sys.exit(
            f'zsclip: --format {RASTERS} has no --task {args.task}: things may lie in two windows.'
            ' Leave --task out.'
        )
    check_folder(args.out)
    compat.setup(now=True)
    from ..apis.photo_arguments import named_photos

    photos = named_photos(args.photos, args.out)
    from ..apis.segment_photos import in_this_process, segment_photos

    engine = in_this_process
    if args.engine == 'ray':
        from ..apis.ray_engine import RayEngine

        engine = RayEngine(partial(job_of, args), args.workers)
    if args.format == [RASTERS]:
        from ..apis.geo_tiff import needed_rasterio, segment_geotiffs

        needed_rasterio()
        outcome = segment_geotiffs(photos, args.out, job_of(args))
    else:
        outcome = segment_photos(photos, args.out, job_of(args), engine)
    before = len(photos) - outcome.segmented - len(outcome.failed)
    print(f'{args.out}: {outcome.segmented} segmented, {before} done before')
    if outcome.repeated:
        print(f'{outcome.repeated} photos were begun again, as a worker ended before it wrote them')
    if outcome.segmented:
        whole, model = (
            outcome.segmented / seconds for seconds in (outcome.seconds, outcome.model_seconds)
        )
        share = 100 * whole / model
        print(f'{whole:.2f} images/s, the model alone {model:.2f} images/s ({share:.0f} %)')
    if not outcome.failed:
        return 0
    print(f'zsclip: {len(outcome.failed)} could not be read:', file=sys.stderr)
    for path, reason in outcome.failed.items():
        print(f'    {reason if path in reason else f"{path}: {reason}"}', file=sys.stderr)
    return 1
