"""The suite peers of benchmark.py: its cases run, and the peers are of the sizes that it says."""

import math

import pytest
import torch


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/benchmark_peers.py')


@pytest.fixture
def setup(tool):
    torch.manual_seed(0)
    return tool.Setup(runs=1, device='cpu', arch='ViT-B-16', size=32)


def test_cases_run_and_one_photo_a_name_costs_a_tower_a_name(tool, setup, monkeypatch):
    pytest.importorskip('transformers')
    monkeypatch.setattr(tool, 'peak_of', lambda run, setup, name: 1.0)
    rows = {row['case']: row for row in tool.peers(setup)}
    assert len(rows) == 3 * len(tool.CASES)
    assert all(math.isfinite(row['ratio']) and row['ratio'] > 0 for row in rows.values())
    macs = {name: rows[f'GMACs of {name}, vs {tool.BARE}']['ratio'] for name in tool.CASES}
    assert macs["open_clip's tower"] == pytest.approx(1, abs=1e-3)
    assert macs['CLIPSeg, names embedded before'] > tool.NAMES
    assert macs['MaskCLIP'] < 1.1


def test_peers_score_every_name_at_every_pixel(tool, setup):
    with torch.inference_mode():
        for name in ('MaskCLIP', "mmseg's SAN"):
            assert tool.run_of(setup, name)(setup.photos()).shape == (1, tool.NAMES, 32, 32)


def test_without_transformers_clipseg_is_left_out(tool, setup, monkeypatch, capsys):
    monkeypatch.setattr(tool, 'find_spec', lambda name: None)
    monkeypatch.setattr(tool, 'peak_of', lambda run, setup, name: 1.0)
    monkeypatch.setattr(tool, 'CASES', {k: tool.CASES[k] for k in list(tool.CASES)[-2:]})
    assert list(tool.peers(setup)) == []
    assert 'CLIPSeg needs transformers' in capsys.readouterr().out


def test_peak_of_a_process_that_looks_once(tool, setup):
    assert tool.look_once(setup, 'MaskCLIP') > 0
