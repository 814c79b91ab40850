"""Claims and runs as a console table, JSON and Markdown."""
import math
import shlex
from collections.abc import Mapping, Sequence

import numpy as np
from prettytable import PrettyTable

from .judge import MISSING, RESAMPLES, Comparison, Judgement, seed_std
from .measure import SuiteResults
from .suite import Run, Suite

SHOWN = ('pAcc', 'mIoU', 'mIoU(S)', 'mIoU(U)', 'hIoU')
LISTED = 4
HEADING = """# Results on the toy world

Claims of the papers, as inequalities that are measured on the [toy world](toy.md). A number with a
star is the paper's, on its own data; all others are ours, in percent, on the test scenes of the toy
world.
"""
METHOD = f"""## How a verdict is made

A claim is that one run's score is above a factor times another's, plus a margin. Its difference is
what remains after factor and margin. **holds**: the difference is above its noise. **does not
hold**: it is below minus its noise. **within noise**: neither can be said. Where a run has several
rivals, the strongest is shown, and every one must be beaten by more than noise.

The noise is the half width of a 95 % interval, from two parts added as independent errors are.
*Seeds*: runs of the same seed are paired, t(97.5 %, n - 1) x standard deviation of the n
differences / sqrt(n). *Scenes*: the test scenes are drawn again with replacement {RESAMPLES} times,
alike for all runs of a claim, 1.96 x standard deviation of the difference. Runs without training
have no seeds, so their noise is that of the scenes; so is that of trained runs of one seed, which
is then said in the verdict and leaves out how much another seed would change.
"""


def signed(value: float, digits: int = 1) -> str:
    return f'{value:+.{digits}f}'


def spread(mean: float, std: float, digits: int = 1) -> str:
    """'31.2 ± 0.4', '31.2' where there is one seed, or '-' where there is no number."""
    if math.isnan(mean):
        return '-'
    return f'{mean:.{digits}f}' + ('' if math.isnan(std) else f' ± {std:.{digits}f}')


def ours(judgement: Judgement) -> str:
    """Both sides of the closest comparison, the ratio where the claim is one of factors."""
    c = judgement.closest
    if c is None:
        return '-'
    digits = _digits(judgement)
    ratio = ''
    if judgement.claim.factor != 1 and c.rival_mean:
        ratio = f' ({c.better_mean / c.rival_mean:.1f} x)'
    rival = f' ({c.rival})' if len(judgement.comparisons) > 1 else ''
    return (f'{spread(c.better_mean, c.better_std, digits)} vs '
            f'{spread(c.rival_mean, c.rival_std, digits)}{rival}{ratio}')


def paper(judgement: Judgement) -> str:
    """The paper's numbers of the claim's sides, starred."""
    claim = judgement.claim
    if claim.better not in claim.paper:
        return '-'
    rivals = [f'{claim.paper[side]:g}*' for side in claim.than if side in claim.paper]
    return f'{claim.paper[claim.better]:g}* vs {", ".join(rivals) or "-"}'


def difference(judgement: Judgement) -> str:
    c = judgement.closest
    if c is None:
        return '-'
    digits = _digits(judgement)
    return f'{signed(c.difference, digits)} ± {c.noise:.{digits}f}'


def verdict(judgement: Judgement) -> str:
    """The verdict; at one seed that is said beside it."""
    one = ' (1 seed: noise of scenes alone)' if len(judgement.seeds) == 1 else ''
    return (judgement.verdict + one
            + (f': {judgement.reason}' if judgement.verdict == MISSING else ''))


def _digits(judgement: Judgement) -> int:
    return 3 if any('/' in side for side in judgement.claim.sides) else 1


def console(measured: Sequence[SuiteResults]) -> str:
    """The claims of every suite, and the failures below."""
    parts = []
    for one in measured:
        table = PrettyTable(
            ['claim', 'metric', "paper's*", 'ours', 'difference', 'verdict'], align='l')
        table.max_width['claim'] = 46
        table.max_width['verdict'] = 24
        for j in one.judgements:
            table.add_row([
                j.claim.says, j.claim.metric, paper(j), ours(j), difference(j), verdict(j)])
        parts.append(f'{one.suite.title}\n{table.get_string()}')
        parts += [f'FAILED {label}\n{text}' for label, text in one.failures.items()]
        if one.stale:
            parts.append(stale_note(one.stale))
    return '\n\n'.join(parts)


def stale_note(labels: Sequence[str]) -> str:
    runs = dict.fromkeys(label.rpartition(', seed ')[0] or label for label in labels)
    return (f'{len(labels)} cached results are of an earlier version of the sources '
            f'({", ".join(runs)}); --fresh measures them again.')


def as_json(measured: Sequence[SuiteResults], about: Mapping) -> dict:
    """Everything as plain values; NaN becomes None."""
    return dict(about, suites=[dict(
        name=one.suite.name,
        claims=[dict(
            says=j.claim.says, source=j.claim.source, inequality=j.claim.inequality,
            metric=j.claim.metric, paper=dict(j.claim.paper), note=j.claim.note,
            verdict=j.verdict, reason=j.reason, seeds=list(j.seeds),
            comparisons=[_comparison(c) for c in j.comparisons]) for j in one.judgements],
        runs={name: [{key: value for key, value in result.items() if key != 'areas'}
                     for result in seeds.values()] for name, seeds in one.results.items()},
        failures=dict(one.failures), stale=list(one.stale)) for one in measured])


def _comparison(c: Comparison) -> dict:
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in vars(c).items()}


def markdown(measured: Sequence[SuiteResults], about: Mapping) -> str:
    """The page of results; `about` has command, machine, date, seeds and quick."""
    seeds = about['seeds']
    lines = [HEADING, f'- Command: `{about["command"]}`', f'- Machine: {about["machine"]}',
             f'- Date: {about["date"]}',
             f'- Seeds of trained runs: {seeds}' + (
                 ', **and --quick: shorter training, fewer scenes**' if about['quick'] else '')]
    lines += checkpoint_lines(measured)
    for one in measured:
        lines += ['', f'## {one.suite.title}', '', *claim_table(one.judgements), '', '### Runs', '',
                  *run_table(one)]
        notes = [f'- {j.claim.says}: {j.claim.note}' for j in one.judgements if j.claim.note]
        lines += ['', *notes] if notes else []
        if one.failures:
            lines += ['', 'Failed or not run: ' + ', '.join(one.failures) + '.']
        if one.stale:
            lines += ['', stale_note(one.stale)]
    return '\n'.join(lines) + '\n\n' + METHOD


def checkpoint_lines(measured: Sequence[SuiteResults]) -> list[str]:
    """Which CLIPs the numbers are of, and what trained them by their own record."""
    found = {(item['weights'], item['arch']): item for item in _checkpoints(measured)}
    lines = []
    for weights, arch in sorted(found, key=str):
        item = found[weights, arch]
        if weights is None:
            lines.append(f'- CLIP: **random weights**, {arch}: its numbers say nothing')
            continue
        trained = f'; trained by {item["trained_by"]}' if item['trained_by'] else ''
        sha256 = f'; SHA-256 {item["sha256"][:12]}' if item['sha256'] else ''
        lines.append(f'- CLIP: `{weights}`, {arch}{trained}{sha256}')
    return lines


def _checkpoints(measured: Sequence[SuiteResults]) -> list[dict]:
    return [item for one in measured for seeds in one.results.values()
            for result in seeds.values() for item in result['checkpoints']]


def claim_table(judgements: Sequence[Judgement]) -> list[str]:
    lines = ["| claim | source | inequality | paper's* | ours | difference ± noise | verdict |",
             '| --- | --- | --- | --- | --- | --- | --- |']
    for j in judgements:
        cells = [j.claim.says, j.claim.source, j.claim.inequality, paper(j), ours(j), difference(j),
                 f'**{j.verdict}**' + verdict(j).removeprefix(j.verdict)]
        lines.append('| ' + ' | '.join(map(escape, cells)) + ' |')
    return lines


def run_table(one: SuiteResults) -> list[str]:
    """Mean ± standard deviation over seeds of every run that was measured."""
    lines = ['| run | CLIP | steps | seeds | ' + ' | '.join(SHOWN) + ' | how |',
             '| --- ' * (5 + len(SHOWN)) + '|']
    for name, seeds in one.results.items():
        results = list(seeds.values())
        cells = [name, ', '.join(sorted({str(c['weights']) for c in results[0]['checkpoints']})),
                 str(results[0]['steps'] or '-'),
                 str(len(results)) if results[0]['trained'] else '-']
        for metric in SHOWN:
            values = np.array([result['metrics'].get(metric, math.nan) for result in results])
            cells.append(spread(values.mean(), seed_std(values)))
        lines.append('| ' + ' | '.join(map(escape, cells)) + f' | `{how(one.suite, name)}` |')
    return lines


def how(suite: Suite, name: str) -> str:
    """The command of one run, without seed."""
    run: Run = suite.run(name)
    options = [shlex.quote(f'{key}={_option(value)}') for key, value in run.options.items()]
    words = ['zsclip', 'train' if run.trains else 'test', run.config]
    words += [f'--{flag}' for flag in ('tta', 'amp') if getattr(run, flag)]
    words += ['--cfg-options', *options] if options else []
    words += [f'# its schedule stretched to {run.steps} steps'] if run.steps else []
    return ' '.join(words).replace('|', '\\|')


def _option(value) -> str:
    """As --cfg-options reads it: lists without blanks; a long one is cut."""
    if isinstance(value, list | tuple):
        shown = [*map(_option, value[:LISTED]), *(['...'] if len(value) > LISTED else [])]
        return f'[{",".join(shown)}]'
    return str(value)


def escape(text: str) -> str:
    return text.replace('|', '\\|')
