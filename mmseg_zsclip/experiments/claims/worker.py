"""One run of a suite in a process of its own; `command` is its command line."""

import argparse
import os
import threading
from pathlib import Path

from .jobs import Job, execute
from .suite import load_suite


def command(job: Job) -> list[str]:
    """The command line of a job, without the interpreter."""
    return [
        '-m',
        'mmseg_zsclip.experiments.claims.worker',
        '--suite',
        job.suite_name,
        '--run',
        job.run.name,
        '--seed',
        str(job.seed),
        '--out',
        str(job.out),
        *(['--quick'] if job.quick else []),
    ]


def end_with_parent() -> None:
    """Ends this process when the one that holds the other end of its input is gone."""

    def wait() -> None:
        while os.read(0, 1024):  # sys.stdin's lock would be held when the interpreter ends
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--suite', required=True)
    parser.add_argument('--run', required=True)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--end-with-parent', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.end_with_parent:
        end_with_parent()
    suite = load_suite(args.suite)
    job = Job(suite, args.suite, suite.run(args.run), args.seed, args.quick, args.out)
    if job.result() is None:
        execute(job)


if __name__ == '__main__':
    main()
