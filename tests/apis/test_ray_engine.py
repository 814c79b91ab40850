"""`--engine ray`: really two workers, on a cluster of this machine."""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.annotations import FORMATS
from mmseg_zsclip.annotations.writers import Photo
from mmseg_zsclip.apis.ray_engine import MOST, Begun, RayEngine, Worker
from mmseg_zsclip.apis.segment_photos import Job, Outcome, found_of, segment_photos
from mmseg_zsclip.apis.segmentation import Instance
from mmseg_zsclip.cli import main
from mmseg_zsclip.files import WriteError

BATCH = 3


@pytest.fixture(scope='module')
def cluster():
    ray = pytest.importorskip('ray', reason='Ray Data is missing: pip install "ray[data]"')
    pytest.importorskip('ray.data', reason='Ray Data is missing: pip install "ray[data]"')
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield ray
    ray.shutdown()


@pytest.fixture
def photos(tmp_path):
    """Paths of 30 photos, each of one grey."""
    (tmp_path / 'photos').mkdir()
    paths = [tmp_path / 'photos' / f'{i:02}.png' for i in range(30)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((20, 30 + i, 3), 8 * i, np.uint8)).save(path)
    return [str(path) for path in paths]


def brightness(photos, flag=None, grey=None):
    """A model of two classes, which kills its process in the middle of the first batch that holds
    a photo of `grey`, once: then the file `flag` is there."""
    if flag and any(one.max() == grey for one in photos) and not os.path.exists(flag):
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [one[..., 0] > 127 for one in photos]


def job(segment=brightness, formats=('png',)):
    return Job(segment, ['dark', 'bright'], [[9, 9, 9], [200, 100, 50]], {}, formats, BATCH)


def content(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob('*')
        if path.is_file()
    }


def test_of_two_workers_one_is_killed_and_every_output_is_there_once(
    cluster, tmp_path, photos, capsys
):
    segment = partial(brightness, flag=str(tmp_path / 'killed'), grey=8 * 16)
    out, make = tmp_path / 'out', partial(job, segment, FORMATS)
    outcome = segment_photos(photos, out, make(), RayEngine(make, workers=2))
    assert (tmp_path / 'killed').exists()
    assert (outcome.segmented, outcome.failed) == (30, {})
    assert 1 <= outcome.repeated <= BATCH
    assert f'{outcome.repeated} begun again' in capsys.readouterr().err
    whole = tmp_path / 'whole'
    segment_photos(photos, whole, job(formats=FORMATS))
    assert content(out) == content(whole)
    assert not list(out.rglob('.*'))


def rows_of(paths):
    columns = zip(*[(path, Path(path).stem, i) for i, path in enumerate(paths, 1)], strict=True)
    return dict(zip(Photo._fields, map(np.array, columns), strict=True))


@pytest.fixture(scope='module')
def begun(cluster):
    return cluster.remote(num_cpus=0)(Begun).remote()


def test_a_photo_that_ends_every_worker_is_named_and_the_others_are_done(
    cluster, begun, tmp_path, photos
):
    for _ in range(MOST):
        cluster.get(begun.note.remote(photos[1:2]))
    Path(photos[2]).write_text('no photo')
    worker = Worker(job, tmp_path / 'out', os.getcwd(), begun)
    row = worker(rows_of(photos[:4]))
    failed = json.loads(row['failed'][0])
    assert f'{MOST} workers ended while they had it' in failed[photos[1]]
    assert 'cannot be decoded' in failed[photos[2]]
    assert len(failed) == 2
    assert sorted(path.stem for path in tmp_path.rglob('out/png/*')) == ['00', '03']


def halves(photos):
    """Two objects over each other in every photo, whose scores are those of its grey."""
    out = []
    for one in photos:
        left, score = np.arange(one.shape[1]) < 20, one.max() / 255
        masks = np.broadcast_to(left, one.shape[:2]), np.full(one.shape[:2], True)
        found = [Instance(i, '', score, None, mask, mask.shape) for i, mask in enumerate(masks)]
        out.append((found, None, one.shape[:2]))
    return out


def job_of_things():
    words, palette = ['left', 'whole'], [[9, 9, 9], [200, 100, 50]]
    found = partial(found_of, 2, 0.1)
    return Job(halves, words, palette, {}, FORMATS, BATCH, 'instance', [0, 1], found)


def test_a_worker_writes_objects_as_the_local_engine_does(begun, tmp_path, photos):
    out, few = tmp_path / 'out', photos[:4]
    worker = Worker(job_of_things, out, os.getcwd(), begun)
    assert worker(rows_of(few))['error'] == [b'']
    assert {path.name for path in out.iterdir()} == {'objects', 'png', 'labelme', 'yolo'}
    later = job_of_things()
    later.segment = None
    assert segment_photos(few, out, later).segmented == 0
    segment_photos(few, tmp_path / 'whole', job_of_things())
    assert content(out) == content(tmp_path / 'whole')


def test_an_error_of_a_worker_is_the_one_that_it_raised(begun, tmp_path, photos):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'labelme').touch()
    worker = Worker(partial(job, formats=['labelme']), tmp_path / 'out', os.getcwd(), begun)
    row = {key: column[0] for key, column in worker(rows_of(photos[:4])).items()}
    with pytest.raises(WriteError, match='labelme cannot be a folder'):
        RayEngine(job)._take([row], None, Outcome())


def test_the_command_writes_what_the_local_engine_writes(cluster, tmp_path, photos, capsys):
    words = ['segment', *photos[:7], '--classes', 'sky; tree', '--model', 'toy', '--batch', '2']
    assert main([*words, '--out', str(tmp_path / 'local')]) == 0
    assert main([*words, '--out', str(tmp_path / 'ray'), '--engine', 'ray']) == 0
    assert '7 segmented, 0 done before' in capsys.readouterr().out
    assert content(tmp_path / 'ray') == content(tmp_path / 'local')
    run = json.loads((tmp_path / 'ray' / 'run.json').read_text())
    assert run['model'] == 'toy'


def test_what_is_missing_or_wrong_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ImportError, match=r'needs Ray Data .*: pip install "mmseg_zsclip\[ray\]"'):
        RayEngine(job)


def test_no_worker_is_an_error(cluster):
    with pytest.raises(ValueError, match='workers is 0; legal values: a whole number from 1 on'):
        RayEngine(job, workers=0)
