import re
from pathlib import Path

import pytest

from mmseg_zsclip.experiments.claims.results_page import code, escape, markdown
from mmseg_zsclip.experiments.claims.suite import load_suite, shipped_suites

DOCS = Path(__file__).resolve().parents[3] / 'docs'
ABOUT = dict(
    command='python tools/claims.py', machine='a machine', date='2026-11-21', seeds=2, quick=False
)


def row(page, first):
    return next(line for line in page.splitlines() if line.startswith(f'| {first} |'))


def test_the_page_says_what_a_reader_must_know(measured):
    page = markdown([measured], ABOUT)
    for text in (
        '`python tools/claims.py`',
        'a machine',
        '2026-11-21',
        'Seeds of trained runs: 2',
        '`toy`, ViT-T-8; trained by the contrastive loss alone; SHA-256 abababababab',
        'What a *reader* should know.',
        'Failed or not run: lost.',
        '- 3 of 4 results are of an earlier version of the sources;',
    ):
        assert text in page, text
    assert 'quick' not in page


def test_the_page_begins_with_how_many_claims_hold(measured):
    page = markdown([measured], ABOUT)
    summary = page[: page.index('## Method (2026)')]
    assert 'Of 3, 1 hold, 0 are within noise, 1 do not hold, 1 were not measured;' in summary
    assert '| Method (2026) | 3 | 1 | 0 | 1 | 1 |' in summary
    assert 'machine' not in summary


def test_a_claim_is_a_row_that_names_its_runs_and_what_is_claimed(measured):
    page = markdown([measured], ABOUT)
    good = row(page, 'good is better')
    assert (
        '| **holds** | mIoU of `good` is 68.1 ± 2.0, of `poor` 33.3 ± 0.0: 2.0 times as much, '
        '1.5 times is claimed | +18.1 ±' in good
    )
    assert good.endswith('| 21.7\\* and 9\\*, table 1 |')
    assert '**does not hold**' in row(page, 'poor is better')
    assert '**not measured**: no result of lost' in row(page, 'lost is better')


def test_one_note_of_two_claims_is_written_once(measured):
    assert markdown([measured], ABOUT).count('- poor is better; lost is better: It is not.') == 1


def test_runs_are_defined_and_their_commands_stand_below(measured):
    page = markdown([measured], ABOUT)
    assert '| query \\|t-g\\|, a good one |' in row(page, '`good`')
    assert '| `toy_x` |' in row(page, '`poor`')  # one that says nothing of itself
    line = "zsclip train toy_x --cfg-options 'model.decode_head.query=[|t-g|,t]'"
    assert f'\n    # good\n    {line}\n' in page
    assert page.rindex('| `poor` |') < page.index('zsclip')


def test_every_table_row_has_as_many_cells_as_its_head(measured):
    rows = [
        line.replace('\\|', '')
        for line in markdown([measured], ABOUT).splitlines()
        if line.startswith('|')
    ]
    assert {row.count('|') for row in rows} == {6, 7, 11}


def test_a_metric_that_no_seed_has_is_a_dash(measured):
    for one in measured.results['poor'].values():
        one['metrics'] = {k: v for k, v in one['metrics'].items() if k != 'hIoU'}
    assert row(markdown([measured], ABOUT), '`poor`').endswith('| - |')


def test_quick_and_random_weights_are_said(measured):
    for seeds in measured.results.values():
        for one in seeds.values():
            one['checkpoints'] = [
                dict(weights=None, arch='ViT-T-8', file=None, sha256=None, trained_by=None)
            ]
    page = markdown([measured], ABOUT | dict(quick=True))
    assert '--quick: shorter training' in page
    assert '**random weights**' in page


def test_bars_and_stars_of_a_name_are_no_markup():
    assert escape('|t-g| and t*g') == r'\|t-g\| and t\*g'
    assert code('t*g') == '`t*g`'
    assert code('|t-g|') == r'\|t-g\|'


@pytest.mark.parametrize('name', shipped_suites())
def test_a_page_in_the_docs_has_every_claim_and_run(name):
    suite = load_suite(name)
    pages = [path.read_text() for path in DOCS.glob('results_toy*.md')]
    page = next(text for text in pages if f'\n## {suite.title}\n' in text)
    for claim in suite.claims:
        assert claim.source in row(page, escape(claim.says))
    lost = ' '.join(re.findall(r'^Failed or not run: (.*)\.$', page, re.MULTILINE)).split(', ')
    for run in suite.runs:
        row_of_run = f'| {code(run.name)} | {escape(run.says)} |'
        assert row_of_run in page or run.name in lost, run.name
        assert f'\n    # {run.name}\n' in page
