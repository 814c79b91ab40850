import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.annotations import FORMATS, writers
from mmseg_zsclip.apis import segment_photos as segmenting
from mmseg_zsclip.apis.segment_photos import Job, segment_photos
from mmseg_zsclip.datasets.label_files import read_label_file
from mmseg_zsclip.engine.run_identity import RunError

CLASSES, PALETTE = ['dark', 'bright'], [[10, 20, 30], [200, 100, 50]]


def brightness(photos):
    """A model of two classes; 255 where red is above 250."""
    return [np.where(one[..., 0] > 250, 255, one.mean(axis=2) > 127) for one in photos]


def job(segment=brightness, formats=('png',), classes=CLASSES, **settings):
    return Job(segment, classes, PALETTE, settings, formats, batch=3)


@pytest.fixture
def photos(tmp_path):
    """Paths of 7 photos of several sizes in two folders, whose names are the same."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(7):
        pixels = cv2.resize(rng.integers(0, 256, (4, 5, 3), np.uint8), (50 + 3 * i, 40))
        path = tmp_path / 'photos' / 'ab'[i % 2] / f'{i // 2}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        paths.append(str(path))
    return paths


def content(out):
    """Bytes of every file of a folder, links as what they lead to, by its place."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob('*')
        if path.is_file()
    }


def test_every_format_of_every_photo(tmp_path, photos):
    out = tmp_path / 'out'
    outcome = segment_photos(photos, out, job(formats=FORMATS))
    assert (outcome.segmented, outcome.failed) == (7, {})
    names = [f'{"ab"[i % 2]}/{i // 2}' for i in range(7)]
    expected = {'run.json', 'coco.json', 'cvat.zip', 'cvat_labels.json', 'yolo/data.yaml'}
    expected |= {'png/classes.txt', 'labelme/labels.txt'}
    for name in names:
        expected |= {f'png/{name}.png', f'labelme/{name}.json', f'labelme/{name}.png'}
        expected |= {f'yolo/labels/{name}.txt', f'yolo/images/{name}.png'}
    assert set(content(out)) == expected
    images = json.loads((out / 'coco.json').read_text())['images']
    assert [image['file_name'] for image in images] == [f'{name}.png' for name in names]
    assert [image['id'] for image in images] == [1, 2, 3, 4, 5, 6, 7]
    listed = zipfile.ZipFile(out / 'cvat.zip').read('ImageSets/Segmentation/default.txt')
    assert listed.decode().split() == names
    for path, name in zip(photos, names, strict=True):
        pixels = np.asarray(Image.open(path))
        labels = read_label_file(str(out / 'png' / f'{name}.png'))
        assert (labels == brightness([pixels])[0]).all()
        place = out / 'labelme' / f'{name}.json'
        shown = place.parent / json.loads(place.read_text())['imagePath']
        assert shown.resolve() == Path(path).resolve()


def test_photos_are_found_from_results_behind_a_link_and_after_both_moved(
    tmp_path, photos, tmp_path_factory
):
    (tmp_path / 'elsewhere' / 'deep').mkdir(parents=True)
    (tmp_path / 'here').symlink_to('elsewhere/deep')
    segment_photos(photos, tmp_path / 'here' / 'out', job(formats=['labelme', 'yolo']))
    moved = tmp_path_factory.getbasetemp() / 'moved'
    shutil.copytree(tmp_path, moved, symlinks=True)
    for folder in ('labelme', 'yolo/images'):
        links = sorted((moved / 'elsewhere/deep/out' / folder).rglob('*.png'))
        assert len(links) == 7
        assert all(path.is_symlink() and Image.open(path).size for path in links)
        assert all(path.resolve().is_relative_to(moved) for path in links)


def test_formats_that_come_later_are_the_same_and_ask_no_model(tmp_path, photos):
    segment_photos(photos, tmp_path / 'whole', job(formats=FORMATS))
    segment_photos(photos, tmp_path / 'parts', job())
    outcome = segment_photos(photos, tmp_path / 'parts', job(None, FORMATS))
    assert outcome.segmented == 0
    assert content(tmp_path / 'parts') == content(tmp_path / 'whole')


def test_masks_for_cvat_that_memory_does_not_hold_are_made_at_the_end(
    tmp_path, photos, monkeypatch
):
    segment_photos(photos, tmp_path / 'whole', job(formats=['cvat']))
    monkeypatch.setattr(writers, 'KEPT', 500)
    segment_photos(photos, tmp_path / 'parts', job(formats=['cvat']))
    assert content(tmp_path / 'parts') == content(tmp_path / 'whole')


def test_more_photos_keep_the_names_and_ids_of_those_before(tmp_path, photos):
    out = tmp_path / 'out'
    segment_photos(photos[:1], out, job(formats=['coco']))
    assert (out / 'png' / '0.png').exists()  # the folder of one photo is the deepest
    outcome = segment_photos(photos[::-1], out, job(formats=['coco']))
    assert outcome.segmented == 6
    photo = json.loads((out / 'run.json').read_text())['photos']
    assert photo[photos[0]] == '0'
    assert len({name.lower() for name in photo.values()}) == 7
    ids = {
        row['file_name']: row['id'] for row in json.loads((out / 'coco.json').read_text())['images']
    }
    assert ids['a/0.png'] == 1
    assert sorted(ids.values()) == [1, 2, 3, 4, 5, 6, 7]


def test_unreadable_photos_are_named_and_tried_again(tmp_path, photos):
    broken = Path(photos[2])
    whole = broken.read_bytes()
    broken.write_bytes(whole[:60])
    missing = str(tmp_path / 'nowhere.jpg')
    outcome = segment_photos([*photos, missing], tmp_path / 'out', job(formats=['coco', 'yolo']))
    assert outcome.segmented == 6
    assert set(outcome.failed) == {str(broken), missing}
    assert 'truncated or damaged' in outcome.failed[str(broken)]
    broken.write_bytes(whole)
    outcome = segment_photos(photos, tmp_path / 'out', job(formats=['coco', 'yolo']))
    assert (outcome.segmented, outcome.failed) == (1, {})
    images = json.loads((tmp_path / 'out' / 'coco.json').read_text())['images']
    assert [image['id'] for image in images] == [1, 2, 3, 4, 5, 6, 7]


def test_a_batch_of_which_only_unreadable_photos_are_left_asks_no_model(tmp_path, photos):
    broken = Path(photos[2])
    broken.write_bytes(broken.read_bytes()[:60])
    segment_photos(photos, tmp_path / 'out', job())
    outcome = segment_photos(photos, tmp_path / 'out', job(None, ['coco']))
    assert (outcome.segmented, list(outcome.failed)) == (0, [str(broken)])
    assert len(json.loads((tmp_path / 'out' / 'coco.json').read_text())['images']) == 6


def test_the_time_of_the_model_is_that_of_the_photos_that_were_missing(
    tmp_path, photos, monkeypatch
):
    """The others of a batch go through the model again, so that every answer stays what it was."""
    seconds, seen = [0.0], []
    clock = SimpleNamespace(perf_counter=lambda: seconds[0])

    def model(some):
        seen.append(len(some))
        seconds[0] += len(some)
        return brightness(some)

    out = tmp_path / 'out'
    monkeypatch.setattr(segmenting, 'time', clock)
    outcome = segment_photos(photos, out, job(model))
    assert (outcome.segmented, outcome.model_seconds, seen) == (7, 7.0, [3, 3, 1])
    (out / 'png' / 'a' / '2.png').unlink()  # the fifth, of the second batch
    outcome = segment_photos(photos, out, job(model))
    assert (outcome.segmented, outcome.model_seconds, seen) == (1, 1.0, [3, 3, 1, 3])


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (dict(classes=['dark', 'light']), r"classes was \['dark', 'bright'\] and is \['dark', 'li"),
        (dict(model='b'), "model was 'a' and is 'b'. Take another --out"),
    ],
)
def test_results_of_other_settings_are_not_mixed(tmp_path, photos, other, message):
    segment_photos(photos[:1], tmp_path / 'out', job(model='a'))
    before = content(tmp_path / 'out')
    with pytest.raises(ValueError, match=message):
        segment_photos(photos, tmp_path / 'out', job(**dict(dict(model='a'), **other)))
    assert content(tmp_path / 'out') == before


def test_a_folder_that_names_no_task_holds_label_maps(tmp_path, photos):
    segment_photos(photos[:1], tmp_path / 'out', job(model='a'))
    with pytest.raises(ValueError, match="task was 'semantic' and is 'instance'"):
        segment_photos(photos, tmp_path / 'out', job(model='a', task='instance'))
    found = segment_photos(photos, tmp_path / 'out', job(model='a', task='semantic'))
    assert found.segmented == 6


def test_a_folder_is_used_by_one_run(tmp_path, photos, hold):
    (tmp_path / 'out').mkdir()
    other = hold(tmp_path / 'out')
    with pytest.raises(RunError, match=f'is in use by another run, process {other.pid} on'):
        segment_photos(photos, tmp_path / 'out', job())
    other.kill()
    other.wait()
    assert segment_photos(photos, tmp_path / 'out', job()).segmented == 7


def test_an_unknown_format_or_a_name_that_cvat_refuses_costs_no_time(tmp_path, photos):
    with pytest.raises(ValueError, match=r"unknown formats \['voc'\]; legal: png, coco"):
        segment_photos(photos, tmp_path / 'out', job(None, ['voc']))
    with pytest.raises(ValueError, match="class 'a:b' cannot be a label"):
        segment_photos(photos, tmp_path / 'out', job(None, ['cvat'], ['a:b', 'c']))


def test_an_error_of_a_writer_ends_the_run(tmp_path, photos):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'labelme').touch()
    with pytest.raises(OSError, match='labelme'):
        segment_photos(photos, tmp_path / 'out', job(formats=['labelme']))


KILLED = """
import glob, os, random, signal, sys, threading, time
from functools import partial
import numpy as np
from mmseg_zsclip.annotations import FORMATS
from mmseg_zsclip.apis.segment_photos import Job, found_of, segment_photos
from mmseg_zsclip.apis.segmentation import Instance

root, *photos = sys.argv[1:]

def bright(photos):
    return [one[..., 0] > 127 for one in photos]

def things(photos):
    '''Their scores depend on what goes through the model beside.'''
    score, out = float(np.mean([one.mean() for one in photos])) / 255, []
    for one in photos:
        masks = one[..., 0] > 127, one[..., 1] > 90, one[..., 2] < 90
        found = [Instance(i % 2, '', score - i / 9, None, m, m.shape) for i, m in enumerate(masks)]
        out.append((found, None, one.shape[:2]))
    return out

JOBS = dict(semantic=(bright, None), instance=(things, partial(found_of, 2, 0.0)))

def run(task, name, last=None, delay=0, batch=2):
    '''In a process of its own, forked of one that has no threads: dies a while after a call of the
    model, however busy the machine is.'''
    process = os.fork()
    if process:
        os.waitpid(process, 0)
        return
    calls, (model, found) = [], JOBS[task]

    def slow(photos):
        calls.append(1)
        if len(calls) == last:
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        time.sleep(0.01 * len(photos))
        return model(photos)

    palette = [[9, 9, 9], [200, 100, 50]]
    job = Job(slow, ['dark', 'bright'], palette, {}, FORMATS, batch, task, [0, 1], found)
    segment_photos(photos[:60 if task == 'semantic' else 24], f'{root}/{task}/{name}', job)
    os._exit(0)

random.seed(0)
for task, done, kills in (('semantic', 'png/*.png', 5), ('instance', 'objects/*.json', 3)):
    for _ in range(kills):
        run(task, 'killed', random.randint(2, 4), random.uniform(0, 0.03))
        print(task, len(glob.glob(f'{root}/{task}/killed/{done}')))
    run(task, 'killed')
    run(task, 'whole', batch=7 if task == 'semantic' else 2)
"""


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_a_run_killed_five_times_ends_as_one_that_was_not(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for i in range(60):
        pixels = cv2.resize(rng.integers(0, 256, (4, 5, 3), np.uint8), (64, 48))
        paths.append(str(tmp_path / f'{i}.png'))
        Image.fromarray(pixels).save(paths[-1])
    process = subprocess.run(
        [sys.executable, '-c', KILLED, str(tmp_path), *paths],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line.split() for line in process.stdout.splitlines()]
    for task, count, files in (('semantic', 60, 5 * 60 + 7), ('instance', 24, 6 * 24 + 8)):
        done = [int(number) for name, number in lines if name == task]
        assert done == sorted(done)
        assert done[0] < count  # so that a kill came in the middle
        assert len(set(done)) > len(done) // 2
        whole = content(tmp_path / task / 'whole')
        assert content(tmp_path / task / 'killed') == whole
        assert len(whole) == files
