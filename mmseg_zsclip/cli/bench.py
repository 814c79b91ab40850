"""`zsclip bench CONFIG [CKPT] --sets SET ...`: one model on many test sets."""

import argparse
import os
from pathlib import Path

from .launching import (
    add_checkpoint_argument,
    add_launch_arguments,
    given_checkpoint,
    launch_config,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_launch_arguments(parser)
    add_checkpoint_argument(parser)
    parser.add_argument(
        '--sets',
        nargs='+',
        required=True,
        metavar='SET',
        help='test sets or groups: open-vocabulary, training-free, cross-data, base-novel',
    )
    parser.add_argument(
        '--protocol',
        help="image size, inference and templates: 'whole' or 'windows'; left out, "
        "the config's own",
    )
    parser.add_argument('--again', action='store_true', help='measure what was measured before too')


def run(args: argparse.Namespace) -> int:
    checkpoint = given_checkpoint(args)
    cfg = launch_config(args)
    from mmengine.dist import is_main_process

    from ..apis.bench_sets import bench, chosen_sets, console_table, write_tables

    if args.work_dir is None:
        cfg.work_dir = os.path.join(cfg.work_dir, 'bench')
    rows = bench(cfg, checkpoint, chosen_sets(args.sets), args.protocol, args.again, args.amp)
    if is_main_process():
        print(console_table(rows))
        write_tables(rows, Path(cfg.work_dir))
        print(
            '* published by others, see configs/published.json. Written to '
            f'{cfg.work_dir}/bench.md, '
            'bench.csv and bench.json'
        )
    return 0
