import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pycocotools import mask as codes
from pycocotools.coco import COCO

from mmseg_zsclip.annotations.coco import coco_annotations, coco_categories
from mmseg_zsclip.annotations.found import Labels

from .conftest import PALETTE, known, label_map


@pytest.fixture
def exported(tmp_path, classes):
    """Label maps by image id, and the path of their JSON."""
    maps = {1: label_map(1), 3: label_map(2, 20, 61, none=False)}
    content = dict(
        images=[
            dict(id=i, file_name=f'{i}.png', height=one.shape[0], width=one.shape[1])
            for i, one in maps.items()
        ],
        annotations=[row for i, one in maps.items() for row in coco_annotations(Labels(one, 4), i)],
        categories=coco_categories(classes, PALETTE),
    )
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    return maps, tmp_path / 'coco.json'


def test_pycocotools_decodes_it_to_the_labels_exactly(exported, classes):
    maps, path = exported
    data = COCO(path)
    assert [row['name'] for row in data.loadCats(data.getCatIds())] == classes
    for i, labels in maps.items():
        again = np.full(labels.shape, -1)
        for row in data.loadAnns(data.getAnnIds(imgIds=[i])):
            mask = data.annToMask(row).astype(bool)
            assert (again[mask] == -1).all()
            again[mask] = row['category_id'] - 1
            rows, columns = np.nonzero(mask)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert row['bbox'] == box
            assert row['area'] == mask.sum()
        assert (again == known(labels)).all()


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.int16, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(-1, 3))
)
def test_any_labels_decode_to_themselves(labels):
    again = np.full(labels.shape, -1)
    for row in coco_annotations(Labels(labels, 3), 7):
        again[codes.decode(row['segmentation']).astype(bool)] = row['category_id'] - 1
    assert (again == known(labels, 3)).all()


def test_ids_depend_on_the_photo_and_the_class_alone(exported):
    maps, path = exported
    ids = [row['id'] for row in json.loads(path.read_text())['annotations']]
    assert len(set(ids)) == len(ids)
    alone = coco_annotations(Labels(np.where(maps[3] == 2, 2, -1), 4), 3)
    assert [row['id'] for row in alone] == [11]
    assert 11 in ids


def test_supervision_reads_it(exported, classes):
    supervision = pytest.importorskip('supervision')
    maps, path = exported
    for i, labels in maps.items():
        Image.new('RGB', labels.shape[::-1]).save(path.parent / f'{i}.png')
    data = supervision.DetectionDataset.from_coco(str(path.parent), str(path), force_masks=True)
    assert data.classes == classes
    for photo, _, found in data:
        labels = maps[int(photo.rpartition('/')[2].removesuffix('.png'))]
        again = np.full(labels.shape, -1)
        for mask, label in zip(found.mask, found.class_id, strict=True):
            again[mask] = label
        assert (again == known(labels)).all()
