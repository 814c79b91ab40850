"""`zsclip demo`."""

import argparse
import importlib.util
import sys
from pathlib import Path

from .. import compat
from ..web.own_folder import own_folder

HERE = ('127.0.0.1', 'localhost', '::1')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--host',
        default=HERE[0],
        help='address to listen on; 0.0.0.0 lets other machines in (default: this machine alone)',
    )
    parser.add_argument(
        '--port', type=int, default=7860, help='0 takes one that is free (default: 7860)'
    )
    parser.add_argument(
        '--weights',
        type=named_file,
        action='append',
        default=[],
        metavar='NAME=FILE',
        help='checkpoint of a model of `zsclip models`, or of a config; may be given again, and '
        'these models come first',
    )


def named_file(text: str) -> tuple[str, str]:
    """`'toy-zegclip=iter_1000.pth'` -> the two."""
    name, _, path = text.partition('=')
    if not name or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=FILE with a file that exists')
    return name, path


def run(args: argparse.Namespace) -> int:
    if importlib.util.find_spec('gradio') is None:
        sys.exit(
            'zsclip: the page needs Gradio, which is not installed: '
            "pip install 'mmseg_zsclip[web]', or pip install 'gradio>=6,<7'"
        )
    if args.host not in HERE:
        print(f'zsclip: whoever reaches {args.host} can use this page', file=sys.stderr)
    with own_folder():
        compat.setup(now=True)
        from ..web.offers import Offers
        from ..web.serving import serve

        serve(Offers(dict(args.weights)), args.host, args.port)
    return 0
