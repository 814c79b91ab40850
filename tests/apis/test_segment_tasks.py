"""Photos to instances and panoptic segments, by a toy MasQCLIP that is not trained."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmseg_zsclip.annotations import FORMATS
from mmseg_zsclip.apis import ZeroShotSegmenter
from mmseg_zsclip.apis.segment_photos import segment_photos, zero_shot_job
from mmseg_zsclip.cli import main
from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.export import export

from .test_segment_photos import content

WORDS, THINGS = ['house', 'sky', 'car', 'grass'], ['house', 'car']
TASKS = ['instance', 'panoptic']


@pytest.fixture(scope='module')
def seg(tmp_path_factory, untrained):
    """Of proposals that are cut from noise."""
    path = untrained('toy_masqclip', tmp_path_factory.mktemp('checkpoint') / 'a.pth')
    out = ZeroShotSegmenter('toy-masqclip', path, device='cpu', batch_size=2)
    out.model.test_cfg['top'] = 8
    return out


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp('scenes')
    export(root, World(), 'test', 5, ['voc'])
    return sorted(str(path) for path in (root / 'voc' / 'JPEGImages').glob('*.jpg'))


def job(seg, task, formats=FORMATS, threshold=0.0):
    return zero_shot_job(seg, WORDS, None, threshold, formats, task, THINGS)


def ids_of(out):
    """Panoptic ids of the files, (H, W) each."""
    paths = sorted((out / 'png').glob('*.png'))
    return [np.asarray(Image.open(path)).astype(int) @ (1, 256, 65536) for path in paths]


def panoptic(seg, photos):
    """(5, H, W), those of the Python call."""
    found = seg(photos, WORDS, tasks=('panoptic',), things=THINGS)
    return np.stack([one.panoptic for one in found])


@pytest.fixture(scope='module')
def wholes(seg, photos, tmp_path_factory):
    """Folder of the results of each task, in every format."""
    root = tmp_path_factory.mktemp('wholes')
    for task in TASKS:
        assert segment_photos(photos, root / task, job(seg, task)).segmented == 5
    return {task: root / task for task in TASKS}


def test_instances_are_those_of_the_python_call(seg, photos, wholes):
    out = wholes['instance']
    data = COCO(out / 'coco.json')
    answers = seg(photos, WORDS, tasks=('instance',), things=THINGS)
    for row, answer in zip(data.dataset['images'], answers, strict=True):
        name, expected = Path(row['file_name']).stem, answer.instances
        found = data.loadAnns(data.getAnnIds(imgIds=[row['id']]))
        assert len(found) == len(expected) > 1
        for one, theirs in zip(found, expected, strict=True):
            assert one['category_id'] - 1 == theirs.label
            assert one['score'] == theirs.score
            assert (data.annToMask(one) == theirs.mask).all()
        lines = (out / 'yolo' / 'labels' / f'{name}.txt').read_text().splitlines()
        assert [int(line.split()[0]) for line in lines] == [one.label for one in expected]


def test_panoptic_ids_are_those_of_the_python_call(seg, photos, wholes):
    out = wholes['panoptic']
    view = zero_shot_job(seg, WORDS, task='panoptic', things=THINGS)
    assert view.settings['threshold'] is None
    content = json.loads((out / 'panoptic.json').read_text())
    isthing = {row['name']: row['isthing'] for row in content['categories']}
    assert isthing == dict(house=1, sky=0, car=1, grass=0)
    segment_photos(photos, out.parent / 'default', view)
    answers = panoptic(seg, photos)
    assert (answers % 1000 < 4).any()
    expected = np.where(answers % 1000 == 4, 0, answers + 1)
    assert (np.stack(ids_of(out.parent / 'default')) == expected).all()
    for ids, row, image in zip(ids_of(out), content['annotations'], content['images'], strict=True):
        assert (image['id'], image['height'], image['width']) == (row['image_id'], *ids.shape)
        assert row['file_name'] == f'{Path(image["file_name"]).stem}.png'
        areas = {part['id']: part['area'] for part in row['segments_info']}
        found, counts = np.unique(ids[ids > 0], return_counts=True)
        assert areas == dict(zip(found.tolist(), counts.tolist(), strict=True))
        for part in row['segments_info']:
            assert part['category_id'] == (part['id'] - 1) % 1000 + 1
            assert (part['id'] > 1000) == (WORDS[part['category_id'] - 1] in THINGS)


def test_cocoeval_finds_the_instances_in_themselves_and_none_of_other_classes(wholes):
    path = wholes['instance'] / 'coco.json'
    truth, precision = COCO(path), []
    for change in (lambda number: number, lambda number: 5 - number):
        rows = json.loads(path.read_text())['annotations']
        for row in rows:
            row['category_id'] = change(row['category_id'])
        scored = COCOeval(truth, truth.loadRes(rows), 'segm')
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
        precision.append(scored.stats[0])
    assert precision[0] > 0.99
    assert precision[1] < 0.01


def test_supervision_reads_the_objects(photos, wholes):
    reason = 'supervision is missing: pip install supervision'
    datasets = pytest.importorskip('supervision', reason=reason).DetectionDataset
    folder, out = os.path.dirname(photos[0]), wholes['instance']
    data = COCO(out / 'coco.json')
    found = datasets.from_coco(folder, str(out / 'coco.json'), force_masks=True)
    assert found.classes == WORDS
    by_name = {row['file_name']: row['id'] for row in data.dataset['images']}
    for path, _, detections in found:
        rows = data.loadAnns(data.getAnnIds(imgIds=[by_name[os.path.basename(path)]]))
        assert [row['category_id'] - 1 for row in rows] == detections.class_id.tolist()
        for row, mask in zip(rows, detections.mask, strict=True):
            assert (data.annToMask(row) == mask).all()
    yolo = out / 'yolo'
    found = datasets.from_yolo(
        *(str(yolo / name) for name in ('images', 'labels', 'data.yaml')), force_masks=True
    )
    assert sum(len(one) for _, _, one in found) == len(data.dataset['annotations'])


def test_a_threshold_leaves_out_what_is_less_sure(seg, photos, wholes, tmp_path):
    scores = [
        row['score']
        for row in json.loads((wholes['instance'] / 'coco.json').read_text())['annotations']
    ]
    least = sorted(scores)[len(scores) // 2]
    segment_photos(photos, tmp_path / 'a', job(seg, 'instance', ['coco'], least))
    left = json.loads((tmp_path / 'a' / 'coco.json').read_text())['annotations']
    assert [row['score'] for row in left] == [score for score in scores if score >= least]
    assert 0 < len(left) < len(scores)
    assert job(seg, 'instance', threshold=None).settings['threshold'] == 0.3
    before = panoptic(seg, photos)
    assert (before % 1000 < 4).any()
    segment_photos(photos, tmp_path / 'b', job(seg, 'panoptic', ['png'], 1))
    assert not any(ids.any() for ids in ids_of(tmp_path / 'b'))
    assert (panoptic(seg, photos) == before).all()


@pytest.mark.parametrize('task', TASKS)
def test_formats_of_objects_that_come_later_ask_no_model(seg, photos, wholes, tmp_path, task):
    out, later = tmp_path / 'out', job(seg, task)
    segment_photos(photos, out, job(seg, task, ['png']))
    later.segment = None
    assert segment_photos(photos, out, later).segmented == 0
    assert content(out) == content(wholes[task])


@pytest.mark.parametrize('task', TASKS)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(seg, photos, wholes, tmp_path, task):
    stopped, calls = job(seg, task), []
    model = stopped.segment

    def segment(pixels):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return model(pixels)

    stopped.segment = segment
    with pytest.raises(KeyboardInterrupt):
        segment_photos(photos, tmp_path / 'parts', stopped)
    keeper = dict(instance='objects/*.json', panoptic='png/*.png')[task]
    next(iter((tmp_path / 'parts').glob(keeper))).unlink()  # one of a batch of two
    assert segment_photos(photos, tmp_path / 'parts', job(seg, task)).segmented == 4
    assert content(tmp_path / 'parts') == content(wholes[task])


@pytest.mark.parametrize('other', ['semantic', 'panoptic'])
def test_results_of_another_task_are_not_mixed(seg, photos, wholes, other):
    before = content(wholes['instance'])
    things = None if other == 'semantic' else THINGS
    asked = zero_shot_job(seg, WORDS, task=other, things=things)
    with pytest.raises(ValueError, match=f"another run: task was 'instance' and is '{other}'. Ta"):
        segment_photos(photos, wholes['instance'], asked)
    assert content(wholes['instance']) == before


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--task', 'instance'], "tasks is ('instance',); this model (OneStageSegmentor) gives"),
        (['--task', 'panoptic', '--format', 'geotiff'], 'geotiff has no --task panoptic'),
        (['--task', 'instance', '--format', 'geotiff'], 'geotiff has no --task instance'),
        (['--task', 'depth'], "invalid choice: 'depth' (choose from "),
        (['--things', 'tree'], "things is 'tree', but label maps (task semantic) tell none apart"),
    ],
)
def test_what_a_model_or_a_format_does_not_have_is_said(photos, tmp_path, capsys, words, message):
    out = os.fspath(tmp_path / 'out')
    with pytest.raises(SystemExit) as ended:
        main(['segment', photos[0], '--model', 'toy', '--out', out, *words])
    assert message in str(ended.value) + capsys.readouterr().err
    assert not os.path.exists(out)


@pytest.mark.parametrize(
    ('things', 'message'),
    [
        (None, r"none of the 2 classes \(sky, grass, ...\) is a thing by this model's config"),
        ([], r'none of the 2 classes \(sky, grass, ...\) is a thing by things=\[\]'),
        (['boat'], r"'boat' of the things is none of the 2 classes \(sky, grass, ...\)"),
    ],
)
def test_classes_without_a_thing_have_no_instances_which_is_said(seg, things, message):
    with pytest.raises(ValueError, match=message):
        zero_shot_job(seg, ['sky', 'grass'], task='instance', things=things)


def test_things_may_be_the_lines_of_a_file(seg, tmp_path):
    (tmp_path / 'things.txt').write_text('car\nhouse\n')
    asked = zero_shot_job(seg, WORDS, task='panoptic', things=str(tmp_path / 'things.txt'))
    assert asked.settings['things'] == ['house', 'car']
