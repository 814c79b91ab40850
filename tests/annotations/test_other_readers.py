"""What `zsclip segment` writes, as `supervision` and Ultralytics read it."""

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.apis.segment_photos import Job, segment_photos

from .conftest import CLASSES, PALETTE, known, label_map


@pytest.fixture
def run(tmp_path):
    """Label maps by photo, and the folder of their annotations."""
    maps = {}
    (tmp_path / 'photos').mkdir()
    for i, size in enumerate([(37, 53), (41, 60)]):
        path = tmp_path / 'photos' / f'{i}.png'
        maps[str(path)] = label_map(i, *size)
        Image.new('RGB', size[::-1]).save(path)
    labels = iter(maps.values())
    job = Job(lambda photos: [next(labels) for _ in photos], CLASSES, PALETTE, {}, ['coco', 'yolo'])
    segment_photos(list(maps), tmp_path / 'out', job)
    return maps, tmp_path


@pytest.fixture
def datasets():
    reason = 'supervision is missing: pip install supervision'
    return pytest.importorskip('supervision', reason=reason).DetectionDataset


def test_supervision_reads_the_coco_file(run, datasets):
    maps, folder = run
    found = datasets.from_coco(str(folder / 'photos'), str(folder / 'out' / 'coco.json'), True)
    assert found.classes == CLASSES
    assert len(found) == len(maps)
    for path, _, detections in found:
        labels = np.full_like(maps[path], -1)
        for mask, label in zip(detections.mask, detections.class_id, strict=True):
            labels[mask] = label
        assert (labels == known(maps[path])).all()


def test_supervision_reads_the_yolo_folder(run, datasets):
    maps, folder = run
    yolo = folder / 'out' / 'yolo'
    found = datasets.from_yolo(
        str(yolo / 'images'), str(yolo / 'labels'), str(yolo / 'data.yaml'), force_masks=True
    )
    assert found.classes == CLASSES
    assert len(found) == len(maps)
    for (_, _, detections), expected in zip(found, maps.values(), strict=True):
        labels = np.full_like(expected, -1)
        for mask, label in zip(detections.mask, detections.class_id, strict=True):
            labels[mask] = label
        assert (labels == known(expected)).all()


def test_ultralytics_finds_the_yolo_folder_from_anywhere(run, monkeypatch):
    maps, folder = run
    monkeypatch.setenv('YOLO_CONFIG_DIR', str(folder))
    data = pytest.importorskip('ultralytics.data', reason='pip install ultralytics')
    for place, file in ((folder, 'out/yolo/data.yaml'), ('/', folder / 'out/yolo/data.yaml')):
        monkeypatch.chdir(place)
        found = data.utils.check_det_dataset(str(file), autodownload=False)
        assert [*found['names'].values()] == CLASSES
        dataset = data.YOLODataset(img_path=found['train'], data=found, task='segment')
        assert len(dataset.labels) == len(maps)
        assert all(len(one['segments']) for one in dataset.labels)
