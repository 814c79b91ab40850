"""`zsclip demo`: what is told before the page is there. tests/web has the page."""

import importlib.util

import pytest

from mmseg_zsclip.cli import main


def test_without_gradio_the_line_of_pip_is_told(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name, *a: None if name == 'gradio' else find(name, *a)
    )
    with pytest.raises(SystemExit, match=r"needs Gradio.*pip install 'mmseg_zsclip\[web\]'"):
        main(['demo'])


@pytest.mark.parametrize('given', ['toy', 'toy=', '=a.pth', 'toy=none.pth'])
def test_weights_are_a_name_and_a_file_that_exists(given, capsys):
    with pytest.raises(SystemExit):
        main(['demo', '--weights', given])
    assert 'is not NAME=FILE with a file that exists' in capsys.readouterr().err
