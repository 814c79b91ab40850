import numpy as np
import pytest
import yaml
from PIL import Image

from mmseg_zsclip.annotations.polygons import regions
from mmseg_zsclip.annotations.yolo import data_yaml, yolo_lines

from .conftest import drawn, known


def shapes_of(text, size):
    rows = [line.split() for line in text.splitlines()]
    return [(int(row[0]), np.float32(row[1:]).reshape(-1, 2) * size[::-1]) for row in rows]


@pytest.mark.parametrize('how', ['cut', 'round', 'pillow'])
def test_lines_drawn_in_their_order_give_the_labels_again(labels, how):
    shapes = shapes_of(yolo_lines(regions(labels, 4), labels.shape), labels.shape)
    assert (drawn(shapes, labels.shape, how) == known(labels)).all()


def test_a_large_photo_keeps_its_pixels_apart():
    labels = np.zeros((4000, 5999), int)
    labels[3998:, 5997:] = [[1, 0], [0, 1]]
    shapes = shapes_of(yolo_lines(regions(labels, 2), labels.shape), labels.shape)
    assert (drawn(shapes, labels.shape, 'cut') == labels).all()


def test_a_line_has_a_class_and_three_corners_at_least_in_shares_of_one(labels):
    for line in yolo_lines(regions(labels, 4), labels.shape).splitlines():
        label, *shares = line.split()
        assert label in {'0', '1', '2', '3'}
        assert len(shares) >= 6
        assert len(shares) % 2 == 0
        assert all(0 < float(share) < 1 for share in shares)


def test_the_names_survive_yaml(classes):
    content = yaml.safe_load(data_yaml([*classes, 'nö', '1', 'no', 'a: b # c']))
    assert list(content['names'].values()) == [*classes, 'nö', '1', 'no', 'a: b # c']
    assert list(content['names']) == list(range(8))


def test_the_data_set_is_where_its_file_is(classes):
    content = yaml.safe_load(data_yaml(classes))
    assert content.keys() == {'train', 'val', 'names'}  # a `path` is seen from where one calls
    assert content['train'] == content['val'] == 'images'


def test_supervision_reads_it(tmp_path, labels, classes):
    supervision = pytest.importorskip('supervision')
    for folder in ('images', 'labels'):
        (tmp_path / folder).mkdir()
    Image.new('RGB', labels.shape[::-1]).save(tmp_path / 'images' / 'a.png')
    (tmp_path / 'labels' / 'a.txt').write_text(yolo_lines(regions(labels, 4), labels.shape))
    (tmp_path / 'data.yaml').write_text(data_yaml(classes))
    data = supervision.DetectionDataset.from_yolo(
        str(tmp_path / 'images'),
        str(tmp_path / 'labels'),
        str(tmp_path / 'data.yaml'),
        force_masks=True,
    )
    assert data.classes == classes
    found = next(iter(data.annotations.values()))
    again = np.full(labels.shape, -1)
    for mask, label in zip(found.mask, found.class_id, strict=True):
        again[mask] = label
    assert (again == known(labels)).all()
