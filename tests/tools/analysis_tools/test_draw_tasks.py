"""The picture of three tasks."""

import pytest
import torch
from mmengine.structures import InstanceData
from PIL import Image


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/draw_tasks.py')


def test_segments_have_names_and_numbers(tool):
    ids = torch.tensor([[0, 1001, 2001, 2]])
    numbers, names = tool.segment_map(ids, ['sky', 'cat'])
    assert numbers.tolist() == [[0, 1, 2, -1]]
    assert names == ['sky', 'cat 1', 'cat 2']


def test_the_surest_instance_is_on_top_and_unsure_ones_are_left_out(tool):
    masks = torch.tensor([[[1, 1, 0]], [[0, 1, 1]], [[1, 1, 1]]]).bool()
    found = InstanceData(
        masks=masks, labels=torch.tensor([0, 1, 0]), scores=torch.tensor([0.9, 0.5, 0.1])
    )
    numbers, names = tool.instance_map(found, ['cat', 'dog'])
    assert numbers.tolist() == [[1, 1, 0]]
    assert names == ['dog 0.50', 'cat 0.90']


def test_four_tiles_a_photo(tool, tmp_path, monkeypatch, untrained):
    monkeypatch.chdir(tmp_path)
    untrained('toy_masqclip', 'model.pth')
    words = ['--classes', 'sky', 'house, home', '--stuff', 'sky']
    tool.main(['toy_masqclip', 'model.pth', '--photos', '2', *words])
    assert Image.open('tasks.png').size == (4 * 384, 414)
