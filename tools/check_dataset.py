"""Checks the label files that a config would train and test on, before it does.

    python tools/check_dataset.py configs/zegclip/voc_inductive.py
    python tools/check_dataset.py CONFIG --split train --max-files 500
"""
import argparse
import sys

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmseg_zsclip.datasets.preflight import check_label_files
from mmseg_zsclip.registry import DATASETS


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--split', choices=('train', 'val', 'test'), nargs='+',
                        default=('train', 'val'))
    parser.add_argument('--max-files', type=int, default=0, help='evenly spread; 0 = all')
    return parser.parse_args(argv)


def check_split(dataset_cfg: dict, max_files: int) -> str:
    """One paragraph about a split; raises what the data set or the check raises."""
    dataset = DATASETS.build(dataset_cfg)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    if 0 < max_files < len(infos):
        infos = [infos[i * len(infos) // max_files] for i in range(max_files)]
    classes = dataset.metainfo['classes']
    first = infos[0]
    pixels = check_label_files(
        [info['seg_map_path'] for info in infos], len(classes), first['reduce_zero_label'],
        first['label_map'])
    absent = [name for name, count in zip(classes, pixels, strict=False) if not count]
    report = (f'{len(infos)} of {len(dataset)} label files are right;'
              f' {100 * pixels[-1] / pixels.sum():.1f} % of the pixels are ignored.')
    if absent:
        report += f'\n{len(absent)} of {len(classes)} classes do not occur: {", ".join(absent)}'
    return report


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    config = Config.fromfile(args.config)
    init_default_scope('mmseg')
    for split in args.split:
        try:
            report = check_split(config[f'{split}_dataloader'].dataset, args.max_files)
        except (FileNotFoundError, ValueError) as error:
            sys.exit(f'{split}: {error}')
        print(f'{split}: {report}')


if __name__ == '__main__':
    main()
