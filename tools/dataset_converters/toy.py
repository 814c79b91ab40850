"""The toy world as files of PASCAL VOC and COCO, for tools that read nothing else.

Writes  ROOT/voc/   JPEGImages, SegmentationClass, SegmentationObject, ImageSets/Segmentation,
                    classes.txt, unseen.txt
        ROOT/coco/  {train,val,test}/*.jpg, annotations/{panoptic,instances}_*.json,
                    annotations/panoptic_*/*.png

    python tools/dataset_converters/toy.py data/toy
    python tools/dataset_converters/toy.py data/toy --formats coco --train 100 --val 0 --test 20
"""

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import converter_parser
from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.dataset import LENGTHS
from mmseg_zsclip.toy.export import FORMATS, export


def main(argv: list[str] | None = None) -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--world', default='toy', help='toy or toy_target')
    parser.add_argument('--size', type=int, default=128, help='side of the pictures in pixels')
    parser.add_argument('--formats', nargs='+', choices=FORMATS, default=FORMATS)
    parser.add_argument(
        '--border',
        type=int,
        default=1,
        help='pixels on either side of outlines that are 255 in the VOC files',
    )
    for split, length in LENGTHS.items():
        parser.add_argument(
            f'--{split}',
            type=int,
            default=length,
            metavar='N',
            help=f'scenes of the split {split}; 0 leaves it out',
        )
    args = parser.parse_args(argv)
    counts = {split: getattr(args, split) for split in LENGTHS}
    if min(counts.values()) < 0 or not any(counts.values()):
        parser.error(f'scenes of each split: {counts}; legal: 0 and above, not all 0.')
    try:
        world = World(args.world, args.size)
    except ValueError as error:
        parser.error(str(error))
    for split, count in counts.items():
        if count:
            export(args.root, world, split, count, args.formats, args.border, args.nproc)
    print(f'wrote {sum(counts.values())} scenes to {args.root}')


if __name__ == '__main__':
    run_tool(main)
