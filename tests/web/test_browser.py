"""The page as a visitor uses it, in Chromium: every address it asks for is noted."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.apis.segmenter import ZeroShotSegmenter
from mmseg_zsclip.toy import World
from mmseg_zsclip.web.inputs import words_of

WORDS = 'sky; grass, meadow; house; tree'
WAIT = 60_000  # ms; the machine may be busy


class Visitor:
    """A session of the page: what is chosen, typed and seen."""

    def __init__(self, browser, url):
        self.context = browser.new_context(viewport=dict(width=1280, height=900))
        self.context.set_default_timeout(WAIT)
        self.page, self.asked = self.context.new_page(), []
        self.page.on('request', lambda request: self.asked.append(request.url))
        self.page.goto(url)
        self.page.locator('#examples button').first.wait_for()

    def at(self, place):
        return self.page.locator(place)

    def upload(self, path):
        self.at('#file input[type=file]').set_input_files(str(path))

    def choose(self, path):
        """Uploads a photo, which is then shown; another is taken out first."""
        clear = self.at('#file button[aria-label="Clear"]')
        if clear.count():
            clear.click()
            self.at('#view .stack').wait_for(state='detached')
        self.upload(path)
        self.at('#view .photo').wait_for()

    def type(self, text):
        self.at('#classes textarea').fill(text)

    def select(self, place, name):
        self.at(f'{place} input').click()
        self.page.get_by_role('option', name=name).first.click()

    def segment(self):
        self.page.evaluate("document.querySelector('#view .colours')?.setAttribute('alt', 'old')")
        self.at('#segment').click()
        self.at('#view .colours:not([alt=old])').first.wait_for()

    def point(self, x, y, panel=0):
        """Moves to a pixel of the photo; returns each panel's scores there, as written."""
        stack = self.at('#view .stack').nth(panel)
        stack.scroll_into_view_if_needed()
        box = stack.bounding_box()
        size = [int(stack.get_attribute(f'data-{side}')) for side in ('width', 'height')]
        self.page.mouse.move(
            box['x'] + (x + 0.5) / size[0] * box['width'],
            box['y'] + (y + 0.5) / size[1] * box['height'],
        )
        self.at('#scores caption').get_by_text(f'at ({x}, {y})').first.wait_for()
        return [
            dict(row.split('\t')[:2] for row in table.split('\n') if row.strip())
            for table in self.page.eval_on_selector_all(
                '#scores table',
                """all => all.map(one => [...one.rows].map(
                    row => [...row.cells].map(cell => cell.innerText.trim()).join('\\t')
                ).join('\\n'))""",
            )
        ]

    def alert(self):
        self.at('#said [role=alert]').wait_for()
        return self.at('#said').inner_text()

    def legend(self):
        """Name -> colour, of the first panel."""
        rows = self.page.eval_on_selector_all(
            '#view figure:first-child .legend li',
            """all => all.map(one => [one.childNodes[1].textContent.trim(),
                getComputedStyle(one.querySelector('.swatch')).backgroundColor])""",
        )
        return {name: tuple(map(int, re.findall(r'\d+', colour)))[:3] for name, colour in rows}

    def layer(self):
        """The colours over the first photo, (h, w, 4)."""
        source = self.at('#view .colours').first.get_attribute('src')
        return picture(self.page, source)


def picture(page, source):
    data = page.evaluate(
        'async (source) => [...new Uint8Array(await (await fetch(source)).arrayBuffer())]', source
    )
    return np.asarray(Image.open(io.BytesIO(bytes(data))))


@pytest.fixture
def visitor(served, chromium):
    one = Visitor(chromium, served.url)
    yield one
    one.context.close()
    elsewhere = [url for url in one.asked if not url.startswith((served.url, 'data:', 'blob:'))]
    assert elsewhere == []
    assert len(one.asked) > 5


@pytest.fixture(scope='module')
def photo(tmp_path_factory):
    """A wide photo of 128 x 64 pixels."""
    path = tmp_path_factory.mktemp('photos') / 'wide.png'
    Image.fromarray(World('toy', 128).scene('test', 3).image[32:96]).save(path)
    return path


def written(scores):
    return {name: f'{score:.4f}' for name, score in scores.items()}


def test_upload_type_see_change_a_class_point_compare_and_take_home(visitor, photo, tmp_path):
    visitor.choose(photo)
    visitor.type(WORDS)
    visitor.segment()
    expected = ZeroShotSegmenter('toy')(photo, words_of(WORDS))
    legend, layer = visitor.legend(), visitor.layer()
    assert set(legend) == set(expected.classes)
    for i, name in enumerate(expected.classes):
        found = {tuple(row) for row in layer[expected.labels == i].tolist()}
        assert found <= {(*legend[name], 255)}

    box = visitor.at('#view .stack').bounding_box()
    assert box['width'] / box['height'] == pytest.approx(2, rel=0.01)
    for x, y in ((100, 20), (3, 60)):
        assert visitor.point(x, y) == [written(expected.scores_at(x, y))]

    visitor.type('sky; road; house')
    visitor.segment()
    assert set(visitor.legend()) == {'sky', 'road', 'house'}

    visitor.select('#other', 'toy-resnet')
    visitor.segment()
    assert visitor.at('#view figure').count() == 2
    seen = visitor.point(64, 30, panel=1)
    models = [ZeroShotSegmenter(name) for name in ('toy', 'toy-resnet')]
    expected = [model(photo, ['sky', 'road', 'house']) for model in models]
    assert seen == [written(one.scores_at(64, 30)) for one in expected]

    for model, found in zip(('toy', 'toy-resnet'), expected, strict=True):
        for ending in ('.png', '_overlay.png', '_coco.json'):
            name = f'wide_{model}{ending}'
            with visitor.page.expect_download() as download:
                visitor.page.get_by_role('link', name=name, exact=True).click()
            assert download.value.suggested_filename == name
            download.value.save_as(tmp_path / name)
        assert (np.asarray(Image.open(tmp_path / f'wide_{model}.png')) == found.labels).all()
        assert json.loads((tmp_path / f'wide_{model}_coco.json').read_text())['annotations']


def test_an_example_brings_its_words(visitor):
    visitor.at('#examples button').nth(1).click()
    visitor.at('#view .photo').wait_for()
    words = visitor.at('#classes textarea').input_value()
    visitor.segment()
    assert len(visitor.legend()) == len(words_of(words))


def test_another_model_is_asked_when_it_is_chosen(visitor, photo):
    visitor.choose(photo)
    visitor.type(WORDS)
    visitor.select('#model', 'toy-resnet')
    visitor.segment()
    assert visitor.at('#view figcaption').inner_text().startswith('toy-resnet:')
    visitor.select('#model', 'toy-zegclip')
    visitor.at('#segment').click()
    assert 'zsclip train toy_inductive' in visitor.alert()


def test_what_is_wrong_is_told_in_words(visitor, photo, tmp_path):
    visitor.at('#segment').click()
    assert 'there is no photo' in visitor.alert()
    (tmp_path / 'notes.txt').write_text('no image')
    visitor.upload(tmp_path / 'notes.txt')
    visitor.at('#said').get_by_text('notes.txt cannot be decoded').wait_for()
    visitor.choose(photo)
    visitor.at('#segment').click()
    visitor.at('#said').get_by_text('there is no class').wait_for()
    visitor.type(';'.join(f'word{i}' for i in range(101)))
    visitor.at('#segment').click()
    visitor.at('#said').get_by_text('101 classes are too many').wait_for()
    visitor.type('sky; Sky')
    visitor.at('#segment').click()
    visitor.at('#said').get_by_text('names both class 0 and class 1').wait_for()


def test_a_photo_of_too_many_pixels_or_bytes_is_told(visitor, tmp_path):
    Image.new('1', (6001, 4000)).save(tmp_path / 'large.png')
    visitor.upload(tmp_path / 'large.png')
    visitor.at('#said').get_by_text('large.png has 6001 x 4000 pixels').wait_for()
    visitor.at('#file button[aria-label="Clear"]').click()
    with open(tmp_path / 'heavy.png', 'wb') as file:
        file.truncate(50_000_001)
    visitor.upload(tmp_path / 'heavy.png')
    visitor.page.get_by_text(
        re.compile('file size|too large|exceed', re.IGNORECASE)
    ).first.wait_for()


def test_a_tall_photo_keeps_its_aspect(visitor, tmp_path):
    Image.new('RGB', (40, 100), 'green').save(tmp_path / 'tall.png')
    visitor.choose(tmp_path / 'tall.png')
    for shown in ('#view .stack', '#view .photo'):
        box = visitor.at(shown).bounding_box()
        assert box['width'] / box['height'] == pytest.approx(0.4, rel=0.01)
    for image in visitor.at('#examples img').all():
        box = image.bounding_box()
        assert box['width'] / box['height'] == pytest.approx(1, rel=0.02)


def test_two_sessions_do_not_mix(visitor, served, chromium, photo, tmp_path):
    other = Visitor(chromium, served.url)
    square = tmp_path / 'square.png'
    Image.fromarray(World('toy', 96).scene('test', 5).image).save(square)
    for one, path, words in ((visitor, photo, 'sky; house'), (other, square, 'road; car; person')):
        one.choose(path)
        one.type(words)
    visitor.segment()
    other.segment()
    segmenter = ZeroShotSegmenter('toy')
    expected = [segmenter(photo, ['sky', 'house']), segmenter(square, ['road', 'car', 'person'])]
    for _ in range(3):
        for one, found in zip((visitor, other), expected, strict=True):
            one.page.mouse.move(1, 1)
            one.point(10, 10)
            assert one.point(50, 40) == [written(found.scores_at(50, 40))]
            assert set(one.legend()) == set(found.classes)
    other.context.close()


def test_the_process_asks_nobody_and_leaves_nothing(served, visitor, photo):
    """Last, as it ends the page: what it wrote lay in its own folder of temporary files."""
    visitor.choose(photo)
    seen = [name for name in served.files() if Path(name).parts[0] != 'tmp']
    assert seen == []
    (own,) = (served.root / 'tmp').glob('*')
    assert own.name.startswith('zsclip_demo_')
    assert list(own.rglob('wide.png'))
    assert served.stop() == 143
    assert 'Traceback' not in (served.root / 'log').read_text()
    assert served.files() == []
    assert [line for line in served.connected() if '127.0.0.1' not in line] == []
