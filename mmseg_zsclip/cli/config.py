"""`zsclip config NAME [--out FILE]`."""

import argparse
import sys
from pathlib import Path

from .. import compat
from ..apis.configs import ConfigNotFoundError, find_config
from ..files import check_folder, made_folder, whole_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'config', help="a config file, or a shipped config's path or name (own_inductive)"
    )
    parser.add_argument('--out', type=Path, help='file to write (default: standard output)')
    parser.add_argument('--force', action='store_true', help='overwrite --out')


def flattened(config: str | Path) -> str:
    """The text of a config without `_base_`, which loads from any folder; variables of the
    environment are filled in as they are now."""
    path = find_config(config)
    compat.setup(now=True)
    from mmengine.config import Config

    return f'# {path.name} of mmseg_zsclip with all that it inherits.\n' + (
        Config.fromfile(path).pretty_text
    )


def run(args: argparse.Namespace) -> int:
    if args.out is not None and args.out.exists() and not args.force:
        sys.exit(f'zsclip: {args.out} exists. Give another --out, or --force to overwrite it.')
    if args.out is not None:
        check_folder(args.out.parent)
    try:
        text = flattened(args.config)
    except ConfigNotFoundError as error:
        sys.exit(f'zsclip: {error}')
    if args.out is None:
        print(text)
        return 0
    made_folder(args.out.parent)
    with whole_file(args.out) as partial:
        partial.write_text(text)
    print(f'{args.out}: zsclip train {args.out}')
    return 0
