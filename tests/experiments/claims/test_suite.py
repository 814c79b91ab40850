import pytest

from mmseg_zsclip.experiments.claims.suite import (
    Claim,
    Run,
    Suite,
    load_suite,
    shipped_suites,
    side_runs,
)

RUNS = [Run('a', 'x'), Run('b', 'x'), Run('c', 'x')]


def suite(*claims, runs=RUNS):
    return Suite('s', 'S', runs, claims)


@pytest.mark.parametrize('name', shipped_suites())
def test_every_shipped_suite_agrees_with_the_papers_own_numbers(name):
    """Loading checks names, metrics and that the paper's numbers fulfil the claim."""
    loaded = load_suite(name)
    assert loaded.name == name
    assert loaded.claims
    assert loaded.about
    assert all(run.says for run in loaded.runs)
    compared = {run for claim in loaded.claims for side in claim.sides for run in side_runs(side)}
    assert compared == {run.name for run in loaded.runs}


def test_a_claim_reads_as_its_inequality():
    assert Claim('', '', 'mIoU', 'a', ['b']).inequality == 'mIoU: a > b'
    assert Claim('', '', 'hIoU', 'a', ['b'], factor=2.4, margin=1).inequality == (
        'hIoU: a > 2.4 x b + 1'
    )
    assert Claim('', '', 'hIoU', 'a - b', ['b', 'c']).inequality == 'hIoU: a - b > each of b, c'


@pytest.mark.parametrize(
    ('claim', 'message'),
    [
        (Claim('x', '', 'IoU', 'a', ['b']), "metric 'IoU'; legal: mIoU, "),
        (Claim('x', '', 'mIoU', 'a', 'b'), 'give a tuple of at least one side'),
        (Claim('x', '', 'mIoU', 'a', []), 'give a tuple of at least one side'),
        (
            Claim('x', '', 'mIoU', 'a', ['d']),
            r"side 'd' names \['d'\], which are no runs .* a, b, c",
        ),
        (Claim('x', '', 'mIoU', 'a * b', ['c']), r"side 'a \* b': legal are a run's name, 'a - b'"),
        (Claim('x', '', 'mIoU', 'a', ['b'], paper=dict(c=1)), r"paper for \['c'\], .* legal: a, b"),
        (
            Claim('x', '', 'mIoU', 'a', ['b'], paper=dict(a=20, b=10), factor=2.5),
            "the paper's own numbers .* do not fulfil 'mIoU: a > 2.5 x b'",
        ),
    ],
)
def test_a_wrong_claim_is_an_error_before_anything_runs(claim, message):
    with pytest.raises(ValueError, match=message):
        suite(claim)


def test_two_runs_of_one_name_are_an_error():
    with pytest.raises(ValueError, match=r"run names must differ .* twice: \['a'\]"):
        suite(runs=[Run('a', 'x'), Run('a', 'y')])


def test_unknown_suites_are_errors(tmp_path):
    with pytest.raises(ValueError, match="there is no suite 'mask'; shipped: "):
        load_suite('mask')
    (tmp_path / 'empty.py').write_text('')
    with pytest.raises(ValueError, match='defines no SUITE'):
        load_suite(str(tmp_path / 'empty.py'))
