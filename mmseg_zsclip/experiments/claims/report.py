"""Claims and runs as a console table and as JSON; the page of results is in `results_page.py`."""

import math
from collections.abc import Mapping, Sequence

from prettytable import PrettyTable

from .judge import MISSING, Comparison, Judgement
from .measure import SuiteResults


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
    digits = digits_of(judgement)
    ratio = ''
    if judgement.claim.factor != 1 and c.rival_mean:
        ratio = f' ({c.better_mean / c.rival_mean:.1f} x)'
    rival = f' ({c.rival})' if len(judgement.comparisons) > 1 else ''
    return (
        f'{spread(c.better_mean, c.better_std, digits)} vs '
        f'{spread(c.rival_mean, c.rival_std, digits)}{rival}{ratio}'
    )


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
    digits = digits_of(judgement)
    return f'{signed(c.difference, digits)} ± {c.noise:.{digits}f}'


def verdict(judgement: Judgement) -> str:
    """The verdict; at one seed that is said beside it."""
    one = ' (1 seed: noise of scenes alone)' if len(judgement.seeds) == 1 else ''
    return (
        judgement.verdict + one + (f': {judgement.reason}' if judgement.verdict == MISSING else '')
    )


def digits_of(judgement: Judgement) -> int:
    """Decimals of its scores: those of ratios need more."""
    return 3 if any('/' in side for side in judgement.claim.sides) else 1


def console(measured: Sequence[SuiteResults]) -> str:
    """The claims of every suite, and the failures below."""
    parts = []
    for one in measured:
        table = PrettyTable(
            ['claim', 'metric', "paper's*", 'ours', 'difference', 'verdict'], align='l'
        )
        table.max_width['claim'] = 46
        table.max_width['verdict'] = 24
        for j in one.judgements:
            table.add_row(
                [j.claim.says, j.claim.metric, paper(j), ours(j), difference(j), verdict(j)]
            )
        parts.append(f'{one.suite.title}\n{table.get_string()}')
        parts += [f'FAILED {label}\n{text}' for label, text in one.failures.items()]
        if one.stale:
            parts.append(stale_note(one.stale))
    return '\n\n'.join(parts)


def stale_note(labels: Sequence[str]) -> str:
    runs = dict.fromkeys(label.rpartition(', seed ')[0] or label for label in labels)
    return (
        f'{len(labels)} cached results are of an earlier version of the sources '
        f'({", ".join(runs)}); --fresh measures them again.'
    )


def as_json(measured: Sequence[SuiteResults], about: Mapping) -> dict:
    """Everything as plain values; NaN becomes None."""
    return dict(
        about,
        suites=[
            dict(
                name=one.suite.name,
                claims=[
                    dict(
                        says=j.claim.says,
                        source=j.claim.source,
                        inequality=j.claim.inequality,
                        metric=j.claim.metric,
                        paper=dict(j.claim.paper),
                        note=j.claim.note,
                        verdict=j.verdict,
                        reason=j.reason,
                        seeds=list(j.seeds),
                        comparisons=[_comparison(c) for c in j.comparisons],
                    )
                    for j in one.judgements
                ],
                runs={
                    name: [
                        {key: value for key, value in result.items() if key != 'kept'}
                        for result in seeds.values()
                    ]
                    for name, seeds in one.results.items()
                },
                failures=dict(one.failures),
                stale=list(one.stale),
            )
            for one in measured
        ],
    )


def _comparison(c: Comparison) -> dict:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in vars(c).items()
    }
