"""`zsclip segment`: photos to label maps and annotations, by the toy model."""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from mmseg_zsclip.apis.segmenter import ZeroShotSegmenter
from mmseg_zsclip.cli import main
from mmseg_zsclip.cli.segment import formats
from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.export import export
from mmseg_zsclip.vocabulary.lists import canonical, load_classes

PAGE = Path(__file__).parents[2] / 'docs' / 'segment_my_photos.md'
CLASSES = ['sky, heaven', 'grass, lawn', 'house', 'tree']
WORDS = '; '.join(CLASSES)


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    """Folder of 12 photos `test_000000.jpg` ..., below it."""
    root = tmp_path_factory.mktemp('scenes')
    export(root, World(), 'test', 12, ['voc'])
    return root / 'voc' / 'JPEGImages'


def segment(*words, classes=WORDS):
    return main(['segment', *map(str, words), '--classes', classes, '--model', 'toy'])


def test_label_maps_are_those_of_the_python_call(scenes, tmp_path, capsys):
    out = tmp_path / 'out'
    assert segment(scenes, '--out', out, '--format', 'coco', '--batch', 5) == 0
    printed = capsys.readouterr().out
    assert f'{out}: 12 segmented, 0 done before' in printed
    numbers = re.search(r'([\d.]+) images/s, the model alone ([\d.]+) images/s', printed).groups()
    whole, model = map(float, numbers)
    assert 0 < whole <= model
    data = COCO(out / 'coco.json')
    assert [row['name'] for row in data.dataset['categories']] == ['sky', 'grass', 'house', 'tree']
    segmenter = ZeroShotSegmenter('toy')
    for row in data.dataset['images'][:3]:
        expected = segmenter(scenes / row['file_name'], CLASSES).labels
        stored = np.asarray(Image.open(out / 'png' / row['file_name'].replace('.jpg', '.png')))
        assert (stored == expected).all()
        for one in data.loadAnns(data.getAnnIds(imgIds=[row['id']])):
            mask = data.annToMask(one)
            assert (mask == (expected == one['category_id'] - 1)).all()


def test_a_threshold_leaves_pixels_without_a_class_and_background_is_one(scenes, tmp_path):
    photo, out = scenes / 'test_000000.jpg', tmp_path / 'a'
    assert segment(photo, '--out', out, '--threshold', 0.9) == 0
    labels = np.asarray(Image.open(out / 'png' / 'test_000000.png'))
    assert 0 < (labels == 255).sum() < labels.size
    assert segment(photo, '--out', tmp_path / 'b', '--background') == 0
    names = (tmp_path / 'b' / 'png' / 'classes.txt').read_text().split()
    assert names == ['sky', 'grass', 'house', 'tree', 'background']


def test_words_left_out_are_the_models_own(scenes, tmp_path):
    words = ['--model', 'toy', '--out', str(tmp_path / 'out')]
    assert main(['segment', str(scenes / 'test_000000.jpg'), *words]) == 0
    names = (tmp_path / 'out' / 'png' / 'classes.txt').read_text().splitlines()
    assert names == [canonical(name) for name in load_classes('toy')]


def test_photos_that_cannot_be_read_are_listed_at_the_end(scenes, tmp_path, capsys):
    (tmp_path / 'photos').mkdir()
    for i in range(3):
        name = f'test_00000{i}.jpg'
        (tmp_path / 'photos' / name).write_bytes((scenes / name).read_bytes())
    cut = tmp_path / 'photos' / 'test_000001.jpg'
    cut.write_bytes(cut.read_bytes()[:500])
    (tmp_path / 'photos' / 'note.png').write_text('no photo')
    assert segment(tmp_path / 'photos', '--out', tmp_path / 'out') == 1
    captured = capsys.readouterr()
    assert '2 segmented, 0 done before' in captured.out
    assert 'zsclip: 2 could not be read:' in captured.err
    for name in ('test_000001.jpg', 'note.png'):
        assert name in captured.err
    written = [path.name for path in (tmp_path / 'out' / 'png').glob('*.png')]
    assert sorted(written) == ['test_000000.png', 'test_000002.png']


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['nowhere.jpg', '--out', 'out'], '. Legal: a file, a folder with images (.bmp, '),
        (['{scenes}', '--out', '{scenes}/test_000000.jpg/out'], 'test_000000.jpg is none. Name'),
        (['{scenes}', '--out', 'out', '--threshold', '2'], 'threshold is 2.0; legal values: a pro'),
        (['{scenes}', '--out', 'out', '--classes', 'sky; Sky'], "'Sky' names both class 0 and"),
    ],
)
def test_wrong_words_are_errors_of_one_line_that_leave_nothing(
    scenes, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    given = [word.format(scenes=scenes) for word in words]
    classes = given.pop() if '--classes' in given else 'sky; tree'
    given = [word for word in given if word != '--classes']
    with pytest.raises(SystemExit) as ended:
        segment(*given, classes=classes)
    assert message in str(ended.value)
    assert list(tmp_path.iterdir()) == []


def test_rasterio_is_asked_for_before_a_model_is_made(scenes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rasterio', None)
    monkeypatch.setattr('mmseg_zsclip.cli.segment.job_of', lambda args: pytest.fail('made'))
    with pytest.raises(SystemExit, match=r'GeoTIFFs need rasterio .*mmseg_zsclip\[geo\]'):
        segment(scenes, '--out', tmp_path / 'out', '--format', 'geotiff')


def test_an_unknown_format_is_wrong_usage(capsys):
    assert formats('png, coco') == ['png', 'coco']
    with pytest.raises(SystemExit) as ended:
        segment('a.jpg', '--out', 'out', '--format', 'png,voc')
    assert ended.value.code == 2
    assert "'voc' is none of png, coco, cvat, labelme, yolo" in capsys.readouterr().err


def test_what_was_segmented_can_be_trained_on(scenes, tmp_path, monkeypatch, capsys):
    """As the page says: `png` are the label maps of one's own data."""
    assert segment(scenes, '--out', tmp_path / 'out', '--threshold', 0.3) == 0
    own = tmp_path / 'own'
    for folder, source in (('images', scenes), ('annotations', tmp_path / 'out' / 'png')):
        (own / folder).mkdir(parents=True)
        (own / folder / 'train').symlink_to(source)
    (own / 'classes.txt').write_text((tmp_path / 'out' / 'png' / 'classes.txt').read_text())
    (own / 'unseen.txt').write_text('tree\n')
    monkeypatch.setenv('ZSCLIP_DATA', str(own))
    assert main(['check', 'own_inductive', '--split', 'train']) == 0
    assert '12 ' in capsys.readouterr().out


def test_the_commands_of_the_page_run_as_they_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text().partition('## Without a photo')[2].partition('## Which photos')[0]
    exec(re.search(r'```python\n(.*?)```', page, re.DOTALL).group(1), {})  # noqa: S102
    commands = re.findall(r'^    zsclip (segment .*)$', page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert main(shlex.split(command)) == 0
    assert '0 segmented, 12 done before' in capsys.readouterr().out
    assert len(json.loads(Path('words/coco.json').read_text())['images']) == 4
    assert len(list(Path('results/labelme').glob('*.json'))) == 12
    assert Path('results/cvat.zip').exists()
