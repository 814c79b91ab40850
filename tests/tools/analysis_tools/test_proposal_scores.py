"""The picture of proposals before and after MAFT."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmseg_zsclip.apis import find_config
from mmseg_zsclip.registry import MODELS


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/proposal_scores.py')


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    init_default_scope('mmseg')
    cfg = Config.fromfile(find_config('toy_maft'))
    cfg.model.generator.pop('checkpoint')
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'maft.pth')
    return 'maft.pth'


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
