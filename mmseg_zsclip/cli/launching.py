"""The arguments that `zsclip train` and `zsclip test` share."""

import argparse
import os
import sys
from pathlib import Path

from .. import compat
from ..apis.configs import ConfigNotFoundError, find_config
from ..files import check_folder, names_a_file
from .cfg_options import add_cfg_options, parse_options

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'config', help="a config file, or a shipped config's path or name (voc_inductive)"
    )
    parser.add_argument('--work-dir', help='folder of logs, checkpoints and results')
    add_cfg_options(parser)
    parser.add_argument(
        '--weights',
        help="CLIP weights of every tower, in place of the config's: a published tag "
        '(openai), hf-hub:org/name, or a path',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--launcher', choices=LAUNCHERS, default='none', help='how the processes were started'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_segmenter_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of the commands that call a `ZeroShotSegmenter`, beside the model's name."""
    parser.add_argument(
        '--weights',
        help="checkpoint of a model that is trained; of MaskCLIP, a file of CLIP's weights",
    )
    parser.add_argument(
        '--classes',
        help='"road; car, automobile": classes by semicolon, synonyms by comma; or a .txt file '
        "with a class a line (default: the model's own)",
    )


def add_checkpoint_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help="trained weights; left out, or 'none', for a model that has nothing to train",
    )


def given_checkpoint(args: argparse.Namespace) -> str | None:
    """See `checkpoint_path`; None where there is none: scripts of several processes need a word."""
    return None if args.checkpoint in (None, 'none') else checkpoint_path(args.checkpoint)


def launch_config(args: argparse.Namespace):
    """The mmengine Config that the arguments describe; an unknown name ends the program, before
    torch is imported."""
    try:
        path = find_config(args.config)
    except ConfigNotFoundError as error:
        sys.exit(f'zsclip: {error}')
    for folder in ('work_dir', 'show_dir', 'maps_dir'):
        if getattr(args, folder, None):
            check_folder(getattr(args, folder))
    options = parse_options(args.cfg_options)
    check_words(path, options, args.weights)
    compat.setup(now=True)
    from ..apis.launch import load_config

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return load_config(
        args.config,
        work_dir=args.work_dir,
        launcher=args.launcher,
        options=options,
        weights=args.weights,
    )


def check_words(config: Path, options: dict, weights: str | None) -> None:
    """Ends the program for keys and files that can be seen to be wrong without torch."""
    if weights and names_a_file(weights) and not Path(weights).expanduser().exists():
        sys.exit(
            f"zsclip: there are no weights '{weights}' (from {Path.cwd()}). Give a file of CLIP's "
            'weights, a published tag (openai), hf-hub:org/name, or toy for a toy config.'
        )
    if options.get('load_from'):
        checkpoint_path(str(options['load_from']))
    if options:
        from ..apis.options import check_options, read_config

        check_options(read_config(config), options)


def checkpoint_path(given: str) -> str:
    """`given` when it is a file or a URL; otherwise the program ends and says so."""
    if '://' in given or Path(given).is_file():
        return given
    sys.exit(
        f"zsclip: there is no checkpoint '{given}' (from {Path.cwd()}). {_nearest(Path(given))}"
    )


def _nearest(missing: Path) -> str:
    """The checkpoints of its folder, where there are some."""
    there = sorted(path.name for path in missing.parent.glob('*.pth')) if missing.name else []
    if there:
        return f'In {missing.parent}: {", ".join(there)}.'
    return '`zsclip train CONFIG` writes them to work_dirs/CONFIG; or give a URL.'
