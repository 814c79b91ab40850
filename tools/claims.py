"""Measures the papers' claims on the toy world: which inequalities hold, by more than noise?

    python tools/claims.py                          # every suite, 3 seeds
    python tools/claims.py --suite maskclip         # needs no training: minutes
    python tools/claims.py --quick                  # 1 seed, short training: a look
    python tools/claims.py --markdown docs/results_toy.md

Every run's result is kept in `--out` under a digest of its resolved config, its seed and the CLIP's
bytes: a suite that was killed goes on where it stopped, and so does a training. --suite also takes
the path of a Python file that defines SUITE, see mmseg_zsclip/experiments/claims/suites.
"""

import argparse
import os
import shlex
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.engine.folder_lock import in_use
from mmseg_zsclip.experiments.claims.measure import measure, plan
from mmseg_zsclip.experiments.claims.report import as_json, console
from mmseg_zsclip.experiments.claims.results_page import markdown
from mmseg_zsclip.experiments.claims.suite import shipped_suites
from mmseg_zsclip.experiments.provenance import machine
from mmseg_zsclip.files import made_folder, write_json


def parse() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--suite',
        nargs='+',
        default=shipped_suites(),
        metavar='NAME',
        help=f'of {", ".join(shipped_suites())}, or .py files; default: all',
    )
    parser.add_argument('--seeds', type=int, help='of trained runs; default 3, or 1 with --quick')
    parser.add_argument('--quick', action='store_true', help='short training, fewer scenes')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='runs at a time')
    parser.add_argument('--threads', type=int, default=1, help='of a run')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/claims'),
        metavar='DIR',
        help='results, logs, claims.json and results_toy.md',
    )
    parser.add_argument('--markdown', type=Path, help='write the page here instead')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--fresh', action='store_true', help='measure again what is cached')
    which.add_argument('--cached', action='store_true', help='run nothing, judge what is cached')
    args = parser.parse_args()
    args.seeds = args.seeds or (1 if args.quick else 3)
    for name in ('seeds', 'jobs', 'threads'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} is {getattr(args, name)}; give at least 1')
    return args


def main() -> int:
    args = parse()
    try:
        planned = plan(args.suite, args.seeds, args.quick, args.out.resolve())
    except ValueError as error:
        sys.exit(f'claims: {error}')
    try:
        with nullcontext() if args.cached else in_use(args.out):
            measured = measure(planned, 0 if args.cached else args.jobs, args.threads, args.fresh)
    except KeyboardInterrupt:
        sys.exit('\nstopped; the same command goes on from here')
    about = dict(
        command=shlex.join(['python', 'tools/claims.py', *sys.argv[1:]]),
        machine=machine(),
        date=time.strftime('%Y-%m-%d'),
        seeds=args.seeds,
        quick=args.quick,
    )
    write_json(args.out / 'claims.json', as_json(measured, about))
    page = args.markdown or args.out / 'results_toy.md'
    made_folder(page.parent)
    page.write_text(markdown(measured, about))
    print(console(measured))
    print(f'\nwritten: {args.out / "claims.json"}, {page}')
    return int(any(one.failures for one in measured))


if __name__ == '__main__':
    run_tool(main)
