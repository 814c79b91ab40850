"""Runs jobs in processes of their own, a few at a time, and says how far it is."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from ...files import made_folder
from ..provenance import PACKAGE
from .jobs import Job
from .worker import command

POLL_SECONDS = 0.2
TAIL_LINES = 15


class Progress:
    """A line that is written over in a terminal, and a line for every finished run elsewhere."""

    def __init__(self, total: int, cached: int, stream: TextIO) -> None:
        self.total, self.stream, self.start = total, stream, time.time()
        self.done = self.failed = 0
        self.live = stream.isatty()
        print(f'{total} runs to do, {cached} cached', file=stream, flush=True)

    def finished(self, label: str, ok: bool, seconds: float) -> None:
        self.done += 1
        self.failed += not ok
        self._clear()
        print(
            f'[{self.done}/{self.total}] {label}: {"done" if ok else "FAILED"} in {clock(seconds)}',
            file=self.stream,
            flush=True,
        )

    def show(self, running: Sequence[str]) -> None:
        if not self.live:
            return
        spent = time.time() - self.start
        left = clock(spent / self.done * (self.total - self.done)) if self.done else '?'
        share = round(20 * self.done / max(self.total, 1))
        line = (
            f'[{"#" * share:20}] {self.done}/{self.total}, {self.failed} failed, '
            f'{clock(spent)}, about {left} left; running: {"; ".join(running)}'
        )
        self._clear()
        print(
            line[: os.get_terminal_size(self.stream.fileno()).columns - 1],
            end='',
            file=self.stream,
            flush=True,
        )

    def _clear(self) -> None:
        if self.live:
            print('\r\033[K', end='', file=self.stream)


def clock(seconds: float) -> str:
    """'1:02:03' or '2:03'."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f'{hours}:{minutes:02}:{rest:02}' if hours else f'{minutes}:{rest:02}'


def run_jobs(
    jobs: Sequence[Job], workers: int, threads: int = 1, stream: TextIO = sys.stderr
) -> dict[str, str]:
    """Runs every job that has no result yet, each once; those of one training one after another,
    and its weights are dropped when none of them is left.

    Args:
        jobs: any order; two of one key are one.
        workers: processes at a time. threads: of each.

    Returns:
        the end of the log of every job that failed, by key.
    """
    distinct = {job.key: job for job in jobs}
    waiting = [job for job in distinct.values() if job.result() is None]
    progress = Progress(len(waiting), len(distinct) - len(waiting), stream)
    running, failed = {}, []
    try:
        while waiting or running:
            while len(running) < workers and (
                job := next_job(waiting, (one for one, *_ in running.values()))
            ):
                waiting.remove(job)
                log = job.path('.log')  # its key is another when a stage before is trained
                running[start(job, threads)] = job, log, time.time()
            time.sleep(POLL_SECONDS)
            for process in [p for p in running if p.poll() is not None]:
                job, log, since = running.pop(process)
                process.stdin.close()
                log = log.replace(job.path('.log'))
                ok = process.returncode == 0 and job.result() is not None
                if not ok:
                    failed.append((job, tail(log, process.returncode)))
                progress.finished(job.label, ok, time.time() - since)
                left = {one.training_key for one in waiting}
                if ok and job.run.trains and job.training_key not in left:
                    job.drop_weights()
            progress.show([job.label for job, *_ in running.values()])
    finally:
        for process in running:
            process.kill()
            process.wait()
    return {job.key: text for job, text in failed}


def next_job(waiting: Sequence[Job], running: Iterable[Job]) -> Job | None:
    """The first whose training, and what it needs before, no other process is doing."""
    busy = set().union(*(job.held for job in running))
    return next((job for job in waiting if not job.held & busy), None)


def start(job: Job, threads: int) -> subprocess.Popen:
    """Starts a job; it ends when this process does, because its standard input then closes."""
    made_folder(job.out)
    words = [sys.executable, *command(job)]
    paths = [str(PACKAGE.parent), os.environ.get('PYTHONPATH', '')]
    environment = {
        **os.environ,
        'OMP_NUM_THREADS': str(threads),
        'MKL_NUM_THREADS': str(threads),
        'PYTHONPATH': os.pathsep.join(filter(None, paths)),
    }
    with open(job.path('.log'), 'a') as log:
        print('$', *words, file=log, flush=True)
        return subprocess.Popen(
            [*words, '--end-with-parent'],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def tail(log: Path, code: int) -> str:
    """The last lines of a log, with where it is and how the process ended."""
    lines = log.read_text(errors='replace').splitlines()[-TAIL_LINES:]
    return '\n'.join([f'ended with code {code}; {log}:', *lines])
