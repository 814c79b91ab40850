import json
import math

from mmseg_zsclip.experiments.claims.report import as_json, console, spread


def test_the_console_shows_failures_with_their_log(measured):
    text = console([measured])
    assert 'FAILED lost\nended with code 1; lost.log:\nValueError: no weights' in text
    assert 'holds' in text


def test_json_is_plain_and_complete(measured):
    about = dict(command='python tools/claims.py')
    out = json.loads(json.dumps(as_json([measured], about), allow_nan=False))
    (suite,) = out['suites']
    assert [c['verdict'] for c in suite['claims']] == ['holds', 'does not hold', 'not measured']
    assert suite['claims'][0]['comparisons'][0]['noise'] > 0
    assert len(suite['runs']['good']) == 2
    assert 'kept' not in suite['runs']['good'][0]


def test_a_metric_that_a_run_has_not_is_a_dash():
    """Of a test without unseen classes."""
    assert spread(math.nan, math.nan) == '-'
    assert spread(31.24, math.nan) == '31.2'
    assert spread(31.24, 0.41) == '31.2 ± 0.4'
