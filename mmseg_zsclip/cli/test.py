"""`zsclip test CONFIG [CKPT]`."""

import argparse

from .launching import (
    add_checkpoint_argument,
    add_launch_arguments,
    given_checkpoint,
    launch_config,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_launch_arguments(parser)
    add_checkpoint_argument(parser)
    parser.add_argument('--show-dir', help='save one overlay picture per image here')
    parser.add_argument('--maps-dir', help="save a picture of every class's scores per image here")
    parser.add_argument('--tta', action='store_true', help='test-time augmentation of the config')


def run(args: argparse.Namespace) -> int:
    checkpoint = given_checkpoint(args)
    cfg = launch_config(args)
    from ..apis.launch import evaluate

    evaluate(
        cfg, checkpoint, show_dir=args.show_dir, maps_dir=args.maps_dir, tta=args.tta, amp=args.amp
    )
    return 0
