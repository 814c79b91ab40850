"""`zsclip check CONFIG`: the photos and label files of a config, before a long run."""

import argparse
import sys

from .. import compat
from ..apis.configs import find_config, what_is_missing

SPLITS = ('train', 'val', 'test')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', help="a config file, or a shipped config's path or name")
    parser.add_argument(
        '--split', choices=SPLITS, nargs='+', help='default: train and val, where it has them'
    )
    parser.add_argument('--max-files', type=int, default=0, help='evenly spread; 0 = all')


def run(args: argparse.Namespace) -> int:
    if args.max_files < 0:
        raise ValueError(f'--max-files is {args.max_files}; legal: 1 or more, or 0 for all.')
    path = find_config(args.config)
    compat.setup(now=True)
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from ..datasets.preflight import check_dataset
    from ..registry import DATASETS

    config, wrong = Config.fromfile(path), []
    init_default_scope('mmseg')
    loaders = {split: config.get(f'{split}_dataloader') for split in SPLITS}
    for split in args.split or [one for one in ('train', 'val') if loaders[one]] or ['test']:
        loader = loaders[split]
        try:
            if loader is None:
                raise ValueError(f'the config has no {split}_dataloader')
            with what_is_missing(config):
                report = check_dataset(DATASETS.build(loader.dataset), args.max_files, whole=True)
            print(f'{split}: {report}')
        except (FileNotFoundError, ValueError) as error:
            wrong.append(f'{split}: {error}')
    if wrong:
        sys.exit('\n'.join(wrong))
    return 0
