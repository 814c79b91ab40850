"""A suite's runs, done or taken from the cache, and what they say about its claims."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..provenance import source_digest
from .jobs import Job
from .judge import Judgement, Measured, judge
from .pool import run_jobs
from .suite import Suite, load_suite


@dataclass(frozen=True)
class SuiteResults:
    """`results`: of each run, by seed, as `Job.result` gives them. `failures`: what a failed run
    printed last, by its label. `stale`: labels of results that older sources gave."""

    suite: Suite
    results: Mapping[str, Mapping[int, dict]]
    judgements: Sequence[Judgement]
    failures: Mapping[str, str]
    stale: Sequence[str]


def plan(names: Sequence[str], seeds: int, quick: bool, out: Path) -> list[list[Job]]:
    """The jobs of every suite: each run once, or once a seed where it trains. All runs of a seed
    come before the next seed's, so that what is stopped early has whole seeds.

    Raises:
        ValueError: no seed, or an unknown suite.
    """
    if seeds < 1:
        raise ValueError(f'seeds is {seeds}; give at least 1.')
    suites = {name: load_suite(name) for name in names}
    return [
        [
            Job(suite, name, run, seed, quick, out)
            for seed in range(seeds)
            for run in suite.runs
            if run.trains or seed == 0
        ]
        for name, suite in suites.items()
    ]


def measure(
    planned: Sequence[Sequence[Job]],
    workers: int,
    threads: int = 1,
    fresh: bool = False,
    stream: TextIO = sys.stderr,
) -> list[SuiteResults]:
    """Runs what has no result yet and judges every claim; a run that fails costs only the claims
    that compare it.

    Args:
        planned: see `plan`.
        workers, threads: see `run_jobs`; no worker runs nothing and judges what there is.
        fresh: forget cached results first.
        stream: where progress goes.
    """
    broken, sound = {}, []
    for job in (job for jobs in planned for job in jobs):
        try:
            job.key  # noqa: B018  reads the config, which may be missing or wrong
            sound.append(job)
        except Exception as error:  # noqa: BLE001  whatever a config raises fails this run alone
            broken[id(job)] = f'{type(error).__name__}: {error}'
    if fresh:
        for job in sound:
            job.forget()
    failures = run_jobs(sound, workers, threads, stream) if workers else {}
    return [collect(jobs, broken, failures) for jobs in planned]


def collect(
    jobs: Sequence[Job], broken: Mapping[int, str], failures: Mapping[str, str]
) -> SuiteResults:
    """One suite's results and judgements."""
    results, failed, stale = {}, {}, []
    sources = source_digest()
    for job in jobs:
        if id(job) in broken:
            failed[job.label] = broken[id(job)]
            continue
        result = job.result()
        if result is None:
            failed[job.label] = failures.get(job.key, 'not run')
            continue
        results.setdefault(job.run.name, {})[job.seed] = result
        if result['sources'] != sources:
            stale.append(job.label)
    suite = jobs[0].suite
    measured = {
        name: Measured(
            {seed: result['kept'] for seed, result in seeds.items()}, suite.run(name).trains
        )
        for name, seeds in results.items()
    }
    judgements = [judge(claim, measured) for claim in suite.claims]
    return SuiteResults(suite, results, judgements, failed, stale)
