"""Checks the photos and label files that a config would train and test on, as `zsclip check` does.

python tools/check_dataset.py voc_inductive
python tools/check_dataset.py CONFIG --split train --max-files 500
"""

import argparse

from mmseg_zsclip.cli import check
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    check.add_arguments(parser)
    check.run(parser.parse_args(argv))


if __name__ == '__main__':
    run_tool(main)
