"""The suite mta_clip of benchmark.py: its cases run, on the toy config."""

import math

import pytest

TOY = 'toy_mta_clip'


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/benchmark_mta_clip.py')


@pytest.fixture
def setup(tool):
    return tool.Setup(runs=1, device='cpu', arch='RN-T', size=64)


def test_cases_run(tool, setup, monkeypatch):
    monkeypatch.setattr(tool, 'peak_of', lambda run, setup, case: run(setup, case))
    rows = list(tool.mta_clip(setup, TOY))
    assert len({row['case'] for row in rows}) == 12
    assert all(math.isfinite(row['ratio']) and row['ratio'] > 0 for row in rows)


def test_the_reference_is_the_same_model_without_text(tool, setup):
    ours, plain = (tool.model_of(setup, 19, with_text, TOY) for with_text in (True, False))
    assert ours.decode_head.text_queries.count == 3 * 19
    with_text, without = ({name for name, _ in one.named_parameters()} for one in (ours, plain))
    assert without < with_text
    assert all('text_queries' in n or 'alignment' in n for n in with_text - without)
