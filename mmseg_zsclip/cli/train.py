"""`zsclip train CONFIG`."""

import argparse
import os
import sys

from .launching import add_launch_arguments, checkpoint_path, launch_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_launch_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from CKPT, or from the newest checkpoint in the work folder',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch over all processes',
    )


def run(args: argparse.Namespace) -> int:
    resume = args.resume == 'auto' or (args.resume and checkpoint_path(args.resume)) or False
    cfg = launch_config(args)
    from ..apis.launch import train
    from ..engine.stopping import TrainingStopped

    try:
        train(cfg, resume=resume, amp=args.amp, auto_scale_lr=args.auto_scale_lr)
    except TrainingStopped as stop:
        if os.environ.get('RANK', '0') == '0':
            print(stop, file=sys.stderr)
        return stop.status
    return 0
