"""200 random calls of every toy model and of `zsclip segment`; thousands run by night."""

import logging
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

from mmseg_zsclip.annotations.found import Labels
from mmseg_zsclip.annotations.writers import PNGWriter
from mmseg_zsclip.apis.segment_photos import zero_shot_job
from mmseg_zsclip.apis.segmenter import ZeroShotSegmenter


@pytest.fixture(scope='module')
def fuzz(load_tool):
    return load_tool('fuzz.py')


@pytest.fixture(autouse=True)
def quiet():
    logging.disable()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield
    logging.disable(logging.NOTSET)


def test_200_random_calls_are_answered_or_refused_with_a_reason(fuzz, tmp_path):
    became = fuzz.fuzz(200, 5, tmp_path)
    assert sum(became.values()) == 200
    assert {name.partition(':')[0] for name in became} > {'line', 'toy'}
    answers = {what: count for what, count in became.items() if what.endswith('answer')}
    assert 40 < sum(answers.values()) < 180
    assert {*answers} == {f'{name}: answer' for name in ('line', *fuzz.toy_names())}


@pytest.fixture(scope='module')
def toy():
    return dict(toy=ZeroShotSegmenter('toy', device='cpu'))


@pytest.fixture
def legal_call(fuzz):
    inputs = sys.modules[fuzz.CallOf.__module__]
    photo = inputs.PhotoOf('array', 'rgb', (9, 12))
    words, none = inputs.Value(['sky', 'tree'], True), inputs.Value(None, True)
    threshold, tasks = inputs.Value(0.0, True), inputs.Value(['semantic'], True)
    return inputs.CallOf('toy', (photo,), False, words, none, threshold, tasks, none)


def changed(monkeypatch, change):
    """What every call gives goes through `change` first."""
    call = ZeroShotSegmenter.segmented
    monkeypatch.setattr(
        ZeroShotSegmenter,
        'segmented',
        lambda self, *args: [change(one) for one in call(self, *args)],
    )


def blank(found):
    found.labels[:] = found.ignored
    return found


def without_numbers(found):
    rows = found.class_scores.rows
    rows = replace(rows, parts=[part * np.nan for part in rows.parts])
    return replace(found, class_scores=replace(found.class_scores, rows=rows))


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (blank, AssertionError, 'pixels without a class'),
        (without_numbers, AssertionError, 'scores are not finite'),
        (lambda found: found.nothing, AttributeError, 'nothing'),
    ],
)
def test_an_answer_that_does_not_hold_and_an_error_by_accident_are_found(
    fuzz, toy, legal_call, tmp_path, monkeypatch, change, error, message
):
    assert fuzz.check_call(legal_call, toy, tmp_path) == 'answer'
    changed(monkeypatch, change)
    with pytest.raises(error, match=message):
        fuzz.check_call(legal_call, toy, tmp_path)


def test_a_wrong_call_that_is_answered_is_found(fuzz, toy, legal_call, tmp_path):
    call = replace(legal_call, classes=legal_call.classes._replace(legal=False))
    with pytest.raises(AssertionError, match='a wrong call was answered'):
        fuzz.check_call(call, toy, tmp_path)


def test_a_file_that_says_something_else_is_found(fuzz, toy, tmp_path, monkeypatch):
    job = zero_shot_job(toy['toy'], 'sky; tree', formats=['coco', 'yolo'])
    fuzz.check_files(job, job.writers(tmp_path / 'out'), 'a.png')
    monkeypatch.setattr(PNGWriter, 'read', lambda self, photo: Labels(np.zeros((48, 40)), 2))
    with pytest.raises(AssertionError):
        fuzz.check_files(job, job.writers(tmp_path / 'out'), 'a.png')
