"""`zsclip export MODEL --out FILE.onnx`."""

import argparse
import sys
from pathlib import Path

from .. import compat
from ..files import check_folder, made_folder
from .cfg_options import add_cfg_options, parse_options
from .launching import add_segmenter_arguments

SUFFIXES = ('.onnx', '.npz')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help="a name of `zsclip models`, or a config's")
    add_segmenter_arguments(parser)
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        metavar='FILE',
        help='FILE.onnx: the graph, and beside it FILE.npz, the text embeddings; FILE.npz: these '
        'alone',
    )
    add_cfg_options(parser)
    parser.add_argument('--force', action='store_true', help='overwrite --out')


def run(args: argparse.Namespace) -> int:
    if args.out.suffix not in SUFFIXES:
        sys.exit(f"zsclip: --out is '{args.out}'; it must end in {' or '.join(SUFFIXES)}")
    words = args.out.with_suffix('.npz')
    for path in (args.out, words):
        if path.exists() and not args.force:
            sys.exit(f'zsclip: {path} exists. Give another --out, or --force to overwrite it.')
    check_folder(args.out.parent)
    compat.setup(now=True)
    from ..apis import onnx_files
    from ..apis.segmenter import ZeroShotSegmenter
    from ..models.graphs import graph_of

    options = parse_options(args.cfg_options)
    if args.out != words:
        onnx_files.check_packages()
    onnx_files.check_exportable(args.model, options)
    segmenter = ZeroShotSegmenter(args.model, args.weights, device='cpu', options=options)
    graph = graph_of(onnx_files.with_words(segmenter, args.classes))
    made_folder(args.out.parent)
    if args.out != words:
        difference = onnx_files.write_graph(args.out, graph, onnx_files.about(segmenter, graph))
        print(
            f'{args.out}: {args.out.stat().st_size / 1e6:.0f} MB; scores of ONNX Runtime and of '
            f'the model differ by {difference:.1g} at most'
        )
    names = onnx_files.write_vocabulary(words, graph)
    print(f'{words}: text embeddings of {len(names)} classes: {", ".join(names[:5])}')
    return 0
