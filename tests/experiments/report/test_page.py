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
from mmseg_zsclip.experiments.report.stages import STORY, Method, Report, Stage, Step, Training
from mmseg_zsclip.registry import DATASETS

UNSEEN = ['boat', 'flower', 'umbrella', 'sand', 'cloud']


@pytest.fixture
def report(tmp_path):
    """Made-up results of three methods on two scenes; the predictions are the truth."""
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
    training = Training(tmp_path, tmp_path / 'iter_400.pth', 400, 400, 90.0)
    curves = Curves([(10, 9.0), (20, 8.0)], {'hIoU': [(20, 30.0)]})
    made_up = Step('Zeg<CLIP>', 'zegclip/toy_inductive', 'masks', 'few <steps>')
    return Report(
        tmp_path,
        'toy-dense',
        dataset,
        classes,
        UNSEEN,
        dict(train=4000, val=100, test=2),
        [
            Method(STORY[0], metrics, rows, tmp_path),
            *(
                Method(one, metrics, rows, tmp_path, training, curves)
                for one in (STORY[1], made_up)
            ),
        ],
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
    assert len(checker.images) == 2 * 5 + 20  # pictures and the legend
    assert all('alt' in image for image in checker.images)


def stored_size(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(',')[2]))).size


def test_every_picture_keeps_its_natural_aspect(report):
    """A width and height that are not the file's, or a style of one alone, draws it stretched."""
    text = page.build_page(report)
    checker = Checker()
    checker.feed(text)
    pictures = [image for image in checker.images if image['alt']]
    assert len(pictures) == 2 * 5
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
    assert len(sizes) == 2 * 5 + 20
    for drawn_wide, drawn_high, wide, high in sizes:
        assert drawn_wide / drawn_high == pytest.approx(wide / high, rel=0.02)


def test_page_says_what_each_method_gains_and_why_it_loses(report):
    last = report.methods[-1]
    assert '+0.0 on seen classes, +0.0 on unseen classes to the row above.' in page.story(report)
    assert 'few' not in page.story(report)
    last.metrics = {**last.metrics, 'mIoU(S)': 50.0, 'mIoU(U)': 27.5}
    text = page.story(report)
    assert (
        '<b>Zeg&lt;CLIP&gt;</b>: +5.0 on seen classes, -2.5 on unseen classes to the row above: '
        'few &lt;steps&gt;.' in text
    )
    assert text.count('<li>') == 2


def test_page_says_what_a_training_cost(report):
    text = page.score_table(report)
    assert '<td>none</td>' in text
    assert text.count('<td>400 steps, 1 min 30 s</td>') == 2
    report.methods[-1].training.seconds = None
    assert '<td>400 steps, time not known</td>' in page.score_table(report)


def test_page_has_every_class_every_score_and_marks_unseen_classes(report):
    text = page.build_page(report)
    for name in report.classes:
        marked = f'{name}*' if name in UNSEEN else name
        group = 'unseen' if name in UNSEEN else 'seen'
        assert f'<th scope="row">{marked}</th><td>{group}</td>' in text
        assert f'{marked}</li>' in text
    for score in ('41.3', '45.0', '30.0', '36.0'):
        assert text.count(f'<td class="number">{score}</td>') == 3
    assert '<td class="number">-</td>' in text
    assert text.count('100 % of pixels right') == 2 * 3 * 2  # alternative text and caption
    assert '2 min 05 s' in text


def test_every_curve_has_its_methods_name(report):
    text = page.charts(report)
    assert text.count('<svg') == text.count('<figcaption>') == 2
    assert '<figcaption>MaskCLIP+</figcaption>' in text


def test_names_and_commands_are_escaped(report):
    text = page.build_page(report)
    assert 'Zeg&lt;CLIP&gt;' in text
    assert 'Zeg<CLIP>' not in text
    assert '--x &quot;a&amp;b&quot;' in text


@pytest.mark.parametrize(
    ('weights', 'said'),
    [
        ('toy-dense', 'claims of the papers are measured on <code>toy</code>'),
        ('toy', 'trained by the contrastive loss alone'),
        ('my<.pt', 'my&lt;.pt'),
    ],
)
def test_page_says_what_the_clip_was_trained_with(report, weights, said):
    report.weights = weights
    assert said in page.build_page(report)


def test_a_shortened_training_is_said_to_be_no_score_of_the_method(report):
    assert 'not the' not in page.training_text(report)
    report.methods[-1].training.steps = 20
    assert '20, not the 400 of its config, for Zeg&lt;CLIP&gt;' in page.training_text(report)


def test_page_is_written_whole_and_follows_dark_mode_and_small_screens(report):
    path = page.write_page(report)
    assert path == report.out / 'index.html'
    text = path.read_text(encoding='utf-8')
    assert text.endswith('</html>\n')
    assert 'prefers-color-scheme: dark' in text
    assert 'name="viewport"' in text
