"""The suite segment of benchmark.py: its cases run, and both sides segment the same photos."""

import math

import pytest


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/benchmark_segment.py')


def test_cases_run(tool, setup, monkeypatch):
    monkeypatch.setattr(tool, 'PHOTOS', 2)
    rows = list(tool.segment(setup))
    assert ['1 formats' in row['case'] for row in rows] == [True, False]
    assert all(math.isfinite(row['ratio']) and row['ratio'] > 0 for row in rows)


def test_the_segmenter_knows_any_words(tool, setup, tmp_path):
    photos = tool.photos(setup, tmp_path)
    found = tool.random_segmenter(setup, tmp_path)(photos[0], ['tree', 'road'])
    assert found.classes == ('tree', 'road')
    assert found.labels.shape == (setup.size, setup.size * 4 // 3)
