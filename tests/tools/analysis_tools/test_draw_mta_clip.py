"""The pictures of MTA-CLIP."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/draw_mta_clip.py')


@pytest.fixture
def checkpoint(tmp_path, monkeypatch, untrained):
    """Writes a model of a config, random but for CLIP."""
    monkeypatch.chdir(tmp_path)
    return lambda name: untrained(name, f'{name}.pth')


def test_the_busiest_window_is_where_most_classes_meet(tool):
    labels = np.zeros((20, 30), int)
    labels[8:12, 20:24] = np.arange(16).reshape(4, 4)
    top, left = tool.busiest(labels, 6)
    assert 6 <= top <= 8
    assert 18 <= left <= 20


def test_the_nearest_text_is_that_of_the_largest_cosine(tool, checkpoint):
    model, dataset = tool.load('toy_mta_clip', checkpoint('toy_mta_clip'))
    batch = pseudo_collate([dataset[0]])
    found = tool.named_queries(model, batch)
    assert len(found) == 32
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.mask.shape == (128, 128) for one in found)
    img = model.data_preprocessor(batch)['inputs']
    with torch.no_grad():
        masks, text = model.decode_head.decode(model.extract_feat(img), align=True).aligned[3]
    cosines = torch.nn.functional.cosine_similarity(
        masks[0, :, None, None], text[0], dim=-1
    )  # (N, C, K)
    for one in found:
        of_query = (cosines[:, one.text, one.context] - one.cosine).abs().argmin()
        assert cosines[of_query].max() == pytest.approx(one.cosine, abs=1e-5)


def test_a_picture_of_masks_and_one_of_models_side_by_side(tool, checkpoint):
    ours, rival = checkpoint('toy_mta_clip'), checkpoint('toy_pixel_text')
    tool.main(['toy_mta_clip', ours, '--masks', '3', '--out', 'queries.png'])
    assert Image.open('queries.png').size == (4 * 384, 414)
    beside = ['--beside', 'pixel-text', 'toy_pixel_text', rival]
    tool.main(['toy_mta_clip', ours, *beside, '--photos', '1', '2', '--out', 'crops.png'])
    assert Image.open('crops.png').size == (4 * 384, 2 * 414)


def test_a_model_that_aligns_nothing(tool, checkpoint, capsys):
    with pytest.raises(SystemExit):
        tool.main(['toy_pixel_text', checkpoint('toy_pixel_text')])
    assert 'toy_pixel_text aligns no masks with text' in capsys.readouterr().err
