"""The page of results: a summary, then each suite's claims, runs and commands, in Markdown."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from .by_hand import commands
from .judge import FAILS, HOLDS, MISSING, NOISE, RESAMPLES, Judgement, seed_std
from .measure import SuiteResults
from .report import difference, digits_of, spread, verdict
from .suite import Claim

SHOWN = ('pAcc', 'mIoU', 'mIoU(S)', 'mIoU(U)', 'hIoU')
COUNTED = {
    HOLDS: 'hold',
    NOISE: 'are within noise',
    FAILS: 'do not hold',
    MISSING: 'were not measured',
}
LEGEND = """Scores are ours, in percent, on the test scenes of the toy world; ± is one standard
deviation over seeds. A star marks the paper's number, on its own data. A difference is what remains
after what the claim allows or asks for, ± its noise; see
[how a verdict is made](#how-a-verdict-is-made).
"""
TESTED = (
    '`zsclip test` with the same options tests what `zsclip train` wrote. Seeds are '
    '`randomness.seed=0`, 1 and on.'
)
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


def markdown(measured: Sequence[SuiteResults], about: Mapping) -> str:
    """The page of results; `about` has command, machine, date, seeds and quick."""
    lines = ['# Results on the toy world', '', *summary(measured), '', LEGEND]
    for one in measured:
        lines += [*suite_section(one), '']
    lines += [
        '## How it was measured',
        '',
        f'- Command: `{about["command"]}`',
        f'- Machine: {about["machine"]}',
        f'- Date: {about["date"]}',
        f'- Seeds of trained runs: {about["seeds"]}'
        + (', **and --quick: shorter training, fewer scenes**' if about['quick'] else ''),
        *checkpoint_lines(measured),
    ]
    stale = sum(len(one.stale) for one in measured)
    if stale:
        total = sum(len(seeds) for one in measured for seeds in one.results.values())
        lines.append(
            f'- {stale} of {total} results are of an earlier version of the sources; '
            '`--fresh` measures them again'
        )
    return '\n'.join(lines) + '\n\n' + METHOD


def summary(measured: Sequence[SuiteResults]) -> list[str]:
    """How many claims have which verdict: a sentence, and a row of every suite."""
    counts = {one.suite.title: Counter(j.verdict for j in one.judgements) for one in measured}
    total = sum(counts.values(), Counter())
    shown = [verdict for verdict in COUNTED if verdict != MISSING or total[MISSING]]
    said = ', '.join(f'{total[verdict]} {COUNTED[verdict]}' for verdict in shown)
    question = "Which of the papers' claims show on the [toy world](toy.md), on a laptop?"
    return [
        f'{question} Of {total.total()}, {said}; [why some do not](toy_why.md).',
        '',
        f'| paper | claims | {" | ".join(COUNTED[verdict] for verdict in shown)} |',
        '| --- ' * (2 + len(shown)) + '|',
        *(
            f'| {title} | {one.total()} | {" | ".join(str(one[verdict]) for verdict in shown)} |'
            for title, one in counts.items()
        ),
    ]


def suite_section(one: SuiteResults) -> list[str]:
    """Heading, claims with their notes, runs, and below them the commands."""
    lines = [
        f'## {one.suite.title}',
        '',
        *([one.suite.about, ''] if one.suite.about else []),
        *claim_table(one.judgements),
        '',
    ]
    notes = {}
    for j in one.judgements:
        if j.claim.note:
            notes.setdefault(j.claim.note, []).append(escape(j.claim.says))
    if notes:
        lines += [*(f'- {"; ".join(claims)}: {note}' for note, claims in notes.items()), '']
    lines += ['### Runs', '', *run_table(one), '']
    if one.failures:
        lines += ['Failed or not run: ' + ', '.join(one.failures) + '.', '']
    lines += ['### Commands', '', *commands(one.suite)]
    if any(run.trains for run in one.suite.runs):
        lines += ['', TESTED]
    return lines


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
    return [
        item
        for one in measured
        for seeds in one.results.values()
        for result in seeds.values()
        for item in result['checkpoints']
    ]


def claim_table(judgements: Sequence[Judgement]) -> list[str]:
    lines = ["| claim | verdict | ours | difference | paper's* |", '| --- ' * 5 + '|']
    for j in judgements:
        cells = [
            escape(j.claim.says),
            f'**{j.verdict}**' + verdict(j).removeprefix(j.verdict),
            sentence(j),
            difference(j),
            paper_cell(j.claim),
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return lines


def sentence(judgement: Judgement) -> str:
    """What was measured of one claim, in words; its strongest rival alone."""
    claim, c = judgement.claim, judgement.closest
    if c is None:
        return '-'
    digits = digits_of(judgement)
    better = spread(c.better_mean, c.better_std, digits)
    rival = code(c.rival)
    if len(claim.than) > 1:
        rival = f'the best of its {len(claim.than)} rivals, {rival},'
    said = (
        f'{claim.metric} of {code(claim.better)} is {better}, '
        f'of {rival} {spread(c.rival_mean, c.rival_std, digits)}'
    )
    if claim.factor != 1:
        ratio = f'{c.better_mean / c.rival_mean:.1f}' if c.rival_mean else 'infinitely many'
        said += f': {ratio} times as much, {claim.factor:g} times is claimed'
    if claim.margin:
        said += (
            f'; {claim.margin:g} above is claimed'
            if claim.margin > 0
            else f'; {-claim.margin:g} below is allowed'
        )
    return said


def paper_cell(claim: Claim) -> str:
    """The paper's numbers of both sides, its highest rival alone, and where they stand."""
    rivals = [claim.paper[side] for side in claim.than if side in claim.paper]
    if claim.better not in claim.paper or not rivals:
        return claim.source
    return f'{claim.paper[claim.better]:g}\\* and {max(rivals):g}\\*, {claim.source}'


def run_table(one: SuiteResults) -> list[str]:
    """What each run is, and mean ± standard deviation over seeds of those that were measured."""
    lines = [
        '| run | what it is | CLIP | steps | seeds | ' + ' | '.join(SHOWN) + ' |',
        '| --- ' * (5 + len(SHOWN)) + '|',
    ]
    for name, seeds in one.results.items():
        results = list(seeds.values())
        run = one.suite.run(name)
        cells = [
            code(name),
            escape(run.says) or code(run.config),
            ', '.join(sorted({str(c['weights']) for c in results[0]['checkpoints']})),
            str(results[0]['steps'] or '-'),
            str(len(results)) if results[0]['trained'] else '-',
        ]
        for metric in SHOWN:
            values = np.array([result['metrics'].get(metric, math.nan) for result in results])
            cells.append(spread(values.mean(), seed_std(values)))
        lines.append('| ' + ' | '.join(cells) + ' |')
    return lines


def escape(text: str) -> str:
    """Text as Markdown shows it, in a table too."""
    return re.sub(r'([|*])', r'\\\1', text)


def code(name: str) -> str:
    """A name in code style. With a bar in it, no one spelling is right on every page that has
    tables, so that it stays in the style of the text."""
    return escape(name) if '|' in name else f'`{name}`'
