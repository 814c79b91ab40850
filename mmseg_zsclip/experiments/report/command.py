"""`zsclip report`."""

import argparse
import sys
from pathlib import Path

from ... import compat
from ...files import check_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/report'),
        help='folder of the page and of all runs (default: %(default)s)',
    )
    parser.add_argument(
        '--weights',
        default='toy',
        help='the tiny CLIP: toy (default), toy-dense, or the path of another ViT-T-8',
    )
    parser.add_argument(
        '--steps', type=int, help="steps of every training, in place of the configs'"
    )
    parser.add_argument('--scenes', type=int, help='test on the first SCENES scenes only')


def run(args: argparse.Namespace) -> int:
    check_folder(args.out.expanduser())
    print('loading PyTorch and MMSegmentation', file=sys.stderr, flush=True)
    compat.setup(now=True)
    from .page import write_page
    from .stages import ReportError, number, run_stages

    try:
        report = run_stages(args.out.expanduser().resolve(), args.weights, args.steps, args.scenes)
    except ReportError as error:
        sys.exit(f'zsclip: {error}')
    page = write_page(report)
    last = number(len(report.stages) + 1)
    print(f'{last} open this page in a browser ({page.stat().st_size / 2**20:.1f} MB): {page}')
    return 0
