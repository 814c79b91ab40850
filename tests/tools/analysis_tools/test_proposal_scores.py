"""The picture of proposals before and after MAFT."""

import pytest
import torch
from PIL import Image


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/proposal_scores.py')


@pytest.fixture
def checkpoint(tmp_path, monkeypatch, untrained):
    monkeypatch.chdir(tmp_path)
    return untrained('toy_maft', 'maft.pth')


def test_a_row_a_photo(tool, checkpoint):
    tool.main(['toy_maft', checkpoint, '--photos', '1', '3', '--out', 'out/a.png'])
    picture = Image.open('out/a.png')
    assert picture.size == (4 * 384, 2 * 414)
    assert len(set(picture.getdata())) > 10


def test_a_model_without_a_frozen_clip_is_refused(tool, checkpoint):
    with pytest.raises(ValueError, match='toy_two_stage keeps no frozen CLIP to compare with'):
        tool.main(['toy_two_stage', checkpoint])


def test_the_largest_unseen_class_is_shown_or_else_the_largest(tool):
    labels = torch.tensor([[0, 0, 0, 1], [2, 2, 255, 255]])
    assert tool.shown_class(labels, [1, 2], 255)[0] == 2
    which, truth = tool.shown_class(labels, [3], 255)
    assert which == 0
    assert truth.sum() == 3
