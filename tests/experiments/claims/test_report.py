import json
import math

import pytest

from mmseg_zsclip.experiments.claims.judge import Measured, judge
from mmseg_zsclip.experiments.claims.measure import SuiteResults
from mmseg_zsclip.experiments.claims.report import as_json, console, markdown, spread
from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite

ABOUT = dict(command='python tools/claims.py', machine='a machine', date='2026-11-21', seeds=2,
             quick=False)


def result(areas, seed, weights='toy'):
    return dict(
        areas=areas, metrics=areas.scores, seed=seed, steps=100, trained=True,
        checkpoints=[dict(weights=weights, arch='ViT-T-8', file='x.pt', sha256='ab' * 32,
                          trained_by='the contrastive loss alone')])


@pytest.fixture
def measured(run_of):
    runs = dict(good=run_of([0.8, 0.82]), poor=run_of([0.5, 0.5]))
    suite = Suite('s', 'Method (2026)', [
        Run('good', 'toy_x', trains=True, options={'model.decode_head.query': ['|t-g|', 't']}),
        Run('poor', 'toy_x', trains=True), Run('lost', 'toy_x')], [
        Claim('good is better', 'table 1', 'mIoU', 'good', ['poor'], factor=1.5,
              paper=dict(good=21.7, poor=9)),
        Claim('poor is better', 'table 2', 'mIoU', 'poor', ['good'], note='It is not.'),
        Claim('lost is better', 'table 3', 'mIoU', 'lost', ['good'])])
    results = {name: {seed: result(areas, seed) for seed, areas in run.areas.items()}
               for name, run in runs.items()}
    measured = {name: Measured({s: r['areas'] for s, r in seeds.items()}, True)
                for name, seeds in results.items()}
    return SuiteResults(
        suite, results, [judge(claim, measured) for claim in suite.claims],
        dict(lost='ended with code 1; lost.log:\nValueError: no weights'),
        ['poor, seed 0', 'poor, seed 1', 'good, seed 0'])


def test_the_page_says_what_a_reader_must_know(measured):
    page = markdown([measured], ABOUT)
    for text in ('`python tools/claims.py`', 'a machine', '2026-11-21', 'Seeds of trained runs: 2',
                 '`toy`, ViT-T-8; trained by the contrastive loss alone; SHA-256 abababababab',
                 '21.7* vs 9*', '**holds**', '**does not hold**',
                 '**not measured**: no result of lost', 'mIoU: good > 1.5 x poor',
                 'poor is better: It is not.', 'Failed or not run: lost.',
                 '3 cached results are of an earlier version of the sources (poor, good);',
                 "`zsclip train toy_x --cfg-options 'model.decode_head.query=[\\|t-g\\|,t]'`"):
        assert text in page, text
    assert 'quick' not in page


def test_every_table_row_has_as_many_cells_as_its_head(measured):
    rows = [line.replace('\\|', '') for line in markdown([measured], ABOUT).splitlines()
            if line.startswith('|')]
    assert {row.count('|') for row in rows} == {8, 11}


def test_a_metric_that_no_seed_has_is_a_dash(measured):
    for one in measured.results['poor'].values():
        one['metrics'] = {k: v for k, v in one['metrics'].items() if k != 'hIoU'}
    row = next(line for line in markdown([measured], ABOUT).splitlines()
               if line.startswith('| poor |'))
    assert row.split(' | ')[-2] == '-'


def test_quick_and_random_weights_are_said(measured):
    for seeds in measured.results.values():
        for one in seeds.values():
            one['checkpoints'] = [dict(
                weights=None, arch='ViT-T-8', file=None, sha256=None, trained_by=None)]
    page = markdown([measured], ABOUT | dict(quick=True))
    assert '--quick: shorter training' in page
    assert '**random weights**' in page


def test_the_console_shows_failures_with_their_log(measured):
    text = console([measured])
    assert 'FAILED lost\nended with code 1; lost.log:\nValueError: no weights' in text
    assert 'holds' in text


def test_json_is_plain_and_complete(measured):
    out = json.loads(json.dumps(as_json([measured], ABOUT), allow_nan=False))
    (suite,) = out['suites']
    assert [c['verdict'] for c in suite['claims']] == ['holds', 'does not hold', 'not measured']
    assert suite['claims'][0]['comparisons'][0]['noise'] > 0
    assert len(suite['runs']['good']) == 2
    assert 'areas' not in suite['runs']['good'][0]


def test_a_metric_that_a_run_has_not_is_a_dash():
    """Of a test without unseen classes."""
    assert spread(math.nan, math.nan) == '-'
    assert spread(31.24, math.nan) == '31.2'
    assert spread(31.24, 0.41) == '31.2 ± 0.4'
