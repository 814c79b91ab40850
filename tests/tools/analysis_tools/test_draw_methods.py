"""The picture of methods side by side."""

import pytest
from PIL import Image


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/draw_methods.py')


@pytest.fixture
def draw(tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda words: tool.main(words.split())


def test_a_tile_for_the_photo_the_truth_and_each_model(tool, draw):
    draw('--model first toy_maskclip --model second toy-resnet --photos 2 3 --columns 3')
    assert Image.open('methods.png').size == (3 * 384, 3 * 414)  # 8 tiles


def test_the_same_model_twice_gives_the_same_tile(tool):
    dataset = tool.test_data('toy')
    model = tool.ZeroShotSegmenter('toy')
    photo, truth, first, second = tool.row(dict(a=model, b=model), dataset, 2)
    below = (0, 30, 384, 414)  # without the titles
    assert first.crop(below).tobytes() == second.crop(below).tobytes()
    assert first.crop(below).tobytes() != truth.crop(below).tobytes()
    assert truth.crop(below).tobytes() != photo.crop(below).tobytes()


def test_models_of_other_classes_are_named(draw):
    with pytest.raises(ValueError, match='second was made for other classes than the first model'):
        draw('--model first toy --model second toy_target_maskclip')


def test_a_model_has_a_title_a_name_and_perhaps_a_checkpoint(draw, capsys):
    with pytest.raises(SystemExit):
        draw('--model toy')
    assert '--model toy has 1 words; give a title, a model' in capsys.readouterr().err


def test_a_file_has_as_many_colours_as_asked_for(draw, capsys):
    draw('--model first toy_maskclip --colours 8')
    assert len(Image.open('methods.png').getcolors()) <= 8
    with pytest.raises(SystemExit):
        draw('--model first toy_maskclip --colours 1')
    assert '--colours is 1; legal: 2 to 256' in capsys.readouterr().err
