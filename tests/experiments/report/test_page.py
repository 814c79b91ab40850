"""The page tells everything, marks what is unseen, and asks for nothing from outside."""

import base64
import html
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmseg_zsclip.datasets.label_files import write_label_file
from mmseg_zsclip.experiments.report import page
from mmseg_zsclip.experiments.report.curves import Curves
from mmseg_zsclip.experiments.report.stages import Method, Report, Stage, Training
from mmseg_zsclip.registry import DATASETS

UNSEEN = ['boat', 'flower', 'umbrella', 'sand', 'cloud']


@pytest.fixture
def report(tmp_path):
    """Made-up results of two methods on two scenes; the predictions are the truth."""
    init_default_scope('mmseg')
    dataset = DATASETS.build(
        dict(type='mmseg_zsclip.ToyDataset', split='test', length=2, size=32, pipeline=[])
    )
    classes = list(dataset.metainfo['classes'])
    for index in range(2):
        write_label_file(dataset.scene(index).semantic, tmp_path / f'test_{index:06d}.png')
    rows = [
        dict(name=name, group='U' if name in UNSEEN else 'S', IoU=3.25 + i, Acc=50.0)
        for i, name in enumerate(classes)
    ]
    rows[-1]['IoU'] = None
    metrics = {'mIoU': 41.26, 'mIoU(S)': 45.0, 'mIoU(U)': 30.0, 'hIoU': 36.0}
    return Report(
        tmp_path,
        'toy-dense',
        dataset,
        classes,
        UNSEEN,
        dict(train=4000, val=100, test=2),
        [Method('MaskCLIP', metrics, rows, tmp_path), Method('Zeg<CLIP>', metrics, rows, tmp_path)],
        Training(tmp_path, tmp_path / 'iter_400.pth', 400, 400, 90.0),
        Curves([(10, 9.0), (20, 8.0)], {'hIoU': [(20, 30.0)]}),
        [Stage('drawing', 2.0), Stage('training', 125.0, 'zsclip train toy_inductive --x "a&b"')],
    )


class Checker(HTMLParser):
    """Fails on a tag that is closed in the wrong place, and keeps what a browser would fetch."""

    VOID = ('meta', 'img', 'line', 'circle', 'polyline')

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.images = [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.fetched += [attributes[key] for key in ('src', 'href', 'srcset') if key in attributes]
        if tag == 'img':
            self.images.append(attributes)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_one_file_that_fetches_nothing(report):
    text = page.build_page(report)
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert checker.fetched
    assert all(link.startswith('data:image/png;base64,') for link in checker.fetched)
    assert not re.search(r'https?:|url\(|@import|<script|<link', text)
    assert len(checker.images) == 2 * 4 + 20  # pictures and the legend
    assert all('alt' in image for image in checker.images)


def stored_size(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(',')[2]))).size


def test_every_picture_keeps_its_natural_aspect(report):
    """A width and height that are not the file's, or a style of one alone, draws it stretched."""
    text = page.build_page(report)
    checker = Checker()
    checker.feed(text)
    pictures = [image for image in checker.images if image['alt']]
    assert len(pictures) == 2 * 4
    for image in pictures:
        wide, high = stored_size(image['src'])
        assert (int(image['width']), int(image['height'])) == (wide, high)
        assert 'style' not in image
    rules = dict(re.findall(r'^([^{}\n]*\bimg) \{ ([^}]*) \}', text, re.MULTILINE))
    assert set(rules) == {'figure img', '.legend img'}
    assert {'width: 100%', 'height: auto'} <= set(rules['figure img'].split('; '))
    swatch = next(image for image in checker.images if not image['alt'])
    size = re.search(r'width: ([\d.]+)rem; height: ([\d.]+)rem', rules['.legend img'])
    wide, high = stored_size(swatch['src'])
    assert float(size[1]) / float(size[2]) == wide / high


BROWSER = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None
)


@pytest.mark.skipif(BROWSER is None, reason='neither chromium nor google-chrome is installed')
@pytest.mark.parametrize('width', [400, 1200])
def test_a_browser_draws_every_picture_at_its_natural_aspect(report, width):
    path = page.write_page(report)
    measure = (
        '<script>onload = () => document.body.setAttribute("measured", JSON.stringify('
        '[...document.images].map(one => [one.clientWidth, one.clientHeight,'
        'one.naturalWidth, one.naturalHeight])))</script></body>'
    )
    path.write_text(path.read_text().replace('</body>', measure))
    run = subprocess.run(
        [
            BROWSER,
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            f'--window-size={width},900',
            f'--user-data-dir={report.out}/profile',
            '--dump-dom',
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    sizes = json.loads(html.unescape(re.search('measured="(.*?)"', run.stdout)[1]))
    assert len(sizes) == 2 * 4 + 20
    for drawn_wide, drawn_high, wide, high in sizes:
        assert drawn_wide / drawn_high == pytest.approx(wide / high, rel=0.02)


def change(report, seen, unseen):
    method = report.methods[1]
    method.metrics = {**method.metrics, 'mIoU(S)': 45.0 + seen, 'mIoU(U)': 30.0 + unseen}
    return page.build_page(report)


def test_page_says_why_zegclip_stands_below_maskclip(report):
    assert 'stands below' not in change(report, 0.0, 0.01)
    text = change(report, 5.0, -2.5)
    assert (
        'below MaskCLIP by 2.5 points on unseen classes: it learned from masks of the seen' in text
    )
    assert 'It gains 5.0 on seen classes.' in text
    assert 'patches of all 20 classes' in text
    text = change(report, -1.5, -2.5)
    assert (
        '1.5 points on seen classes and 2.5 points on unseen classes: 400 steps are short' in text
    )
    report.weights = 'toy'
    assert 'patches of all' not in change(report, -1.5, -2.5)


def test_page_has_every_class_every_score_and_marks_unseen_classes(report):
    text = page.build_page(report)
    for name in report.classes:
        marked = f'{name}*' if name in UNSEEN else name
        group = 'unseen' if name in UNSEEN else 'seen'
        assert f'<th scope="row">{marked}</th><td>{group}</td>' in text
        assert f'{marked}</li>' in text
    for score in ('41.3', '45.0', '30.0', '36.0'):
        assert text.count(f'<td class="number">{score}</td>') == 2
    assert '<td class="number">-</td>' in text
    assert text.count('100 % of pixels right') == 2 * 2 * 2  # alternative text and caption
    assert '2 min 05 s' in text


def test_names_and_commands_are_escaped(report):
    text = page.build_page(report)
    assert 'Zeg&lt;CLIP&gt;' in text
    assert 'Zeg<CLIP>' not in text
    assert '--x &quot;a&amp;b&quot;' in text


@pytest.mark.parametrize(
    ('weights', 'said'),
    [
        ('toy-dense', 'claims of the papers are therefore measured on <code>toy</code>'),
        ('toy', 'trained by the contrastive loss alone'),
        ('my<.pt', 'my&lt;.pt'),
    ],
)
def test_page_says_what_the_clip_was_trained_with(report, weights, said):
    report.weights = weights
    assert said in page.build_page(report)


def test_a_shortened_training_is_said_to_be_no_score_of_the_method(report):
    assert 'not the' not in page.training_text(report)
    report.training.steps = 20
    assert 'not the 400 of the config' in page.training_text(report)


def test_page_is_written_whole_and_follows_dark_mode_and_small_screens(report):
    path = page.write_page(report)
    assert path == report.out / 'index.html'
    text = path.read_text(encoding='utf-8')
    assert text.endswith('</html>\n')
    assert 'prefers-color-scheme: dark' in text
    assert 'name="viewport"' in text
