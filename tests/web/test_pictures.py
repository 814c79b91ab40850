"""HTML of answers: colours, sizes and names are the result's own."""

import base64
import io
import re
from html import escape

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.apis.segmenter import ZeroShotSegmenter
from mmseg_zsclip.web.answers import Panel
from mmseg_zsclip.web.inputs import Chosen
from mmseg_zsclip.web.pictures import chosen_view, colours, message, panels_view, scores_view

HOSTILE = '<img src=x onerror=alert(1)>'


@pytest.fixture(scope='module')
def photo():
    pixels = np.random.default_rng(0).integers(0, 255, (30, 90, 3), dtype=np.uint8)
    return Chosen(f'{HOSTILE}.jpg', pixels)


@pytest.fixture(scope='module')
def panel(photo):
    words = ['sky', HOSTILE, 'sea']
    sure = ZeroShotSegmenter('toy')(photo.pixels, words).sure[1]
    found = ZeroShotSegmenter('toy')(photo.pixels, words, threshold=float(np.median(sure)))
    return Panel('toy', found, 0.1)


def images(text):
    found = re.findall(r'src="data:image/\w+;base64,([^"]+)"', text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def test_a_pixel_has_the_colour_that_the_legend_gives_its_class(panel, photo):
    text = panels_view([panel], photo, [{}])
    _, layer = images(text)
    rows = re.findall(r'rgb\((\d+), (\d+), (\d+)\)"></span>(.+?) <span', text)
    legend = {name: tuple(map(int, rgb)) for *rgb, name in rows}
    labels, names = panel.found.labels, [escape(name) for name in panel.found.classes]
    assert sorted(legend) == sorted(names)
    known = labels < len(names)
    assert known.any()
    assert not known.all()
    assert (layer[..., 3] == np.where(known, 255, 0)).all()
    for i in np.unique(labels[known]):
        assert {tuple(row) for row in layer[labels == i][:, :3].tolist()} == {legend[names[i]]}


def test_a_picture_keeps_the_aspect_and_the_size_of_its_photo(panel, photo):
    for text in (chosen_view(photo), panels_view([panel], photo, [{}])):
        assert 'data-width="90" data-height="30" style="--aspect: 3.0"' in text
        assert all(one.shape[:2] == (30, 90) for one in images(text))


def test_what_a_visitor_wrote_is_escaped(panel, photo):
    texts = [
        chosen_view(photo),
        panels_view([panel], photo, [{f'{HOSTILE}.png': b''}]),
        scores_view([panel], 3, 4),
        message(HOSTILE),
    ]
    assert all('&lt;img' in text and HOSTILE not in text for text in texts)


def test_files_are_links_that_hold_their_content(panel, photo):
    text = panels_view([panel], photo, [{'a.png': b'one', 'a.json': b'two'}])
    assert '<a download="a.png" href="data:image/png;base64,b25l">a.png</a>' in text
    assert '<a download="a.json" href="data:application/json;base64,dHdv">a.json</a>' in text


def test_scores_are_those_of_the_result_best_first(panel):
    text = scores_view([panel, panel], 3, 4)
    shown = re.findall(r'class="score">(-?[\d.]+)<', text)
    assert shown == [f'{one:.4f}' for one in panel.found.scores_at(3, 4).values()] * 2
    assert text.count('<caption>toy at (3, 4)</caption>') == 2


def test_colours_are_the_same_once_labels_are_bytes(panel):
    whole = np.asarray(colours(panel.found))
    panel.shrink()
    assert (np.asarray(colours(panel.found)) == whole).all()


def test_what_is_wrong_is_an_alert():
    assert 'role="alert"' in message('no', wrong=True)
    assert 'role="status"' in message('yes')
