"""tools/analysis_tools/probe_maskclip.py: what it counts,
on labels whose answer is known and on two scenes."""

import logging

import pytest
import torch

from mmseg_zsclip.apis.launch import load_config


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/probe_maskclip.py')


@pytest.fixture
def main(tool):
    yield tool.main
    logging.disable(logging.NOTSET)


def test_a_patch_has_its_commonest_class(tool):
    label = torch.tensor([[0, 0, 2, 2], [1, 0, 255, 2], [255, 255, 1, 1], [255, 255, 1, 1]])
    assert tool.patch_truth(label, (2, 2), 3).tolist() == [[0, 2], [-1, 1]]


def test_eq_5_lets_a_large_class_outvote_a_small_one(tool):
    """One patch of class 1 among 15 of class 0, keys 60 degrees apart: 15 x 0.5 > 1."""
    truth = torch.zeros(4, 4, dtype=torch.long)
    truth[0, 0] = 1
    keys = torch.zeros(1, 2, 4, 4)
    keys[:, 0] = 1.0
    keys[0, :, 0, 0] = torch.tensor([0.5, 0.75**0.5])
    scores = 100 * tool.one_hot(truth, 2)
    tally = tool.Tally(2)
    tool.probe_keys(tally, scores, keys, truth, truth)
    section = 'key smoothing'
    found = {name: tally.scores(section, name)['pAcc'] for name in tally.areas[section]}
    assert found['cosine to the power 1'] == 100 * 15 / 16
    assert found['[the same, of the true labels, power 1]'] == 100 * 15 / 16
    assert found['cosine to the power 8'] == 100
    assert found['[perfect keys: 1 within a class, 0 across]'] == 100
    assert tally.mean(section, 'cosine of two keys of one class') == pytest.approx(1)
    assert tally.mean(section, 'cosine of two keys of different classes') == pytest.approx(0.5)


def test_denoising_is_judged_by_what_is_there(tool):
    """Class 0 is there and sure, 1 is there and weak, 2 is absent and sure at one pixel."""
    label = torch.tensor([[0, 0], [1, 0]])
    scores = torch.full((1, 3, 2, 2), -9.0)
    scores[0, 0, 0, 0] = scores[0, 2, 0, 1] = scores[0, 0, 1, 1] = 9.0
    scores[0, :, 1, 0] = torch.tensor([0.0, 0.1, 0.0])
    tally = tool.Tally(3)
    tool.probe_denoising(tally, scores, label, 0.5)
    section = 'prompt denoising at 0.5'
    shares = {name: tally.mean(section, name) for name in tally.facts[section]}
    assert shares == {
        'share of absent classes that go': 0,
        'share of present classes that go': 0.5,
        'share of pixels given to an absent class': 0.25,
        'share of pixels given to a class that goes': 0.25,
        'share of pixels of a class that goes': 0.25,
    }
    assert tally.scores(section, '[exactly the absent classes dropped]')['pAcc'] == 100
    assert tally.scores(section, 'classes below it dropped')['pAcc'] == 50


@pytest.mark.parametrize('config', ['toy_maskclip', 'toy_maskclip_r'])
def test_two_scenes_give_the_whole_table(main, config, capsys):
    main([config, '--weights', 'toy', '--scenes', '2', '--sizes', '0.5', '1'])
    text = capsys.readouterr().out
    assert ('last block' in text) == (config == 'toy_maskclip')
    rows = {line[:54].strip(): line[54:].split() for line in text.splitlines() if line[54:].strip()}
    plain = rows["the config's path"]
    assert 50 < float(plain[1]) < 100
    assert rows['x 1'] == rows['x 1 averaged with x 1'] == plain  # the same image again
    if config == 'toy_maskclip':
        assert rows['value'] == plain  # what this config reads
        assert float(rows['+ residual'][1]) < float(plain[1])
    assert 'share of pixels where x 1 and x 1 differ = 0\n' in text
    assert 'nan' not in text.replace('right there: x 1 = nan', '').replace('x 1, not x 1 = nan', '')


def test_what_it_cannot_take_apart_is_an_error(tool):
    with pytest.raises(ValueError, match='--scenes is 0; give 1 or more'):
        tool.probe(load_config('toy_maskclip'), 0)
    with pytest.raises(ValueError, match='has a mmseg_zsclip.ZegCLIPHead, .* config of '):
        tool.probe(load_config('toy_inductive'))
