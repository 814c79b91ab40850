"""`zsclip test CONFIG [CKPT]`."""

import argparse

from .launching import add_launch_arguments, checkpoint_path, launch_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_launch_arguments(parser)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help="trained weights; left out, or 'none', for a model that has nothing to train",
    )
    parser.add_argument('--show-dir', help='save one overlay picture per image here')
    parser.add_argument('--maps-dir', help="save a picture of every class's scores per image here")
    parser.add_argument('--tta', action='store_true', help='test-time augmentation of the config')


def run(args: argparse.Namespace) -> int:
    checkpoint = None
    if args.checkpoint not in (None, 'none'):  # the scripts of several processes need a word there
        checkpoint = checkpoint_path(args.checkpoint)
    cfg = launch_config(args)
    from ..apis.launch import evaluate

    evaluate(
        cfg, checkpoint, show_dir=args.show_dir, maps_dir=args.maps_dir, tta=args.tta, amp=args.amp
    )
    return 0
