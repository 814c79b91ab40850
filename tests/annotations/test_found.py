"""What was found in a photo, and what every format takes of it: objects over each other, apart from
each other, with holes and in parts."""

import io
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pycocotools import mask as codes

from mmseg_zsclip.annotations.coco import coco_annotations, panoptic_annotation
from mmseg_zsclip.annotations.cvat import CVATMasks
from mmseg_zsclip.annotations.found import Instances, Labels, Object, Segments, encoded
from mmseg_zsclip.annotations.labelme import labelme_json
from mmseg_zsclip.annotations.polygons import mask_regions
from mmseg_zsclip.annotations.writers import IdsWriter, ObjectsWriter, Photo
from mmseg_zsclip.annotations.yolo import yolo_lines

from .conftest import CLASSES, PALETTE, drawn, known, label_map

SIZE = (40, 60)
PHOTO = Photo('/photos/a.jpg', 'a', 3)
MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


def disc(y, x, radius, hole=0):
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    far = (rows - y) ** 2 + (columns - x) ** 2
    return (far < radius**2) & (far >= hole**2)


@pytest.fixture
def instances():
    """A ring over a disc of another class, one in three parts, and one under all of them."""
    parts = disc(8, 50, 5) | disc(30, 50, 6, 3) | disc(30, 8, 4)
    masks = [disc(20, 25, 14, 6), disc(20, 30, 12), parts, disc(20, 25, 4)]
    rows = zip((1, 2, 5, 9), (3, 0, 3, 1), masks, (0.9, 0.8, 0.5, 1 / 3), strict=True)
    found = [Object(i, label, encoded(mask), score) for i, label, mask, score in rows]
    return Instances(found, SIZE), masks


@pytest.fixture
def segments():
    """Stuff of class 2, two things of class 1, and pixels of no segment."""
    ids = np.full(SIZE, 3)
    ids[disc(10, 10, 6)], ids[disc(25, 40, 9, 4)] = 1002, 2002
    ids[:3] = 0
    return Segments(ids), ids


def polygons_of(text):
    rows = [line.split() for line in text.splitlines()]
    return [(int(row[0]), np.float64(row[1:]).reshape(-1, 2) * SIZE[::-1]) for row in rows]


def test_a_class_of_a_label_map_is_an_object_and_values_outside_are_none():
    labels = label_map()
    found = Labels(labels, 3)  # of 4, and -1 and 255
    assert found.size == labels.shape
    assert found.places is None
    assert [(one.id, one.label, one.score) for one in found.objects] == [
        (label + 1, label, None) for label in range(3)
    ]
    for one in found.objects:
        assert (one.mask == (labels == one.label)).all()
    assert {region.label for region in found.shapes} == {0, 1, 2}
    assert {region.group for region in found.shapes} == {None}
    assert Labels(np.full((2, 3), 255), 3).objects == []


def test_the_better_object_lies_above(instances):
    found, masks = instances
    above = np.select(masks, [1, 2, 5, 9], 0)
    assert (found.ids == above).all()
    assert (found.places == np.select(masks, [0, 1, 2, 3], -1)).all()
    assert (found.labels == np.select(masks, [3, 0, 3, 1], -1)).all()
    assert 9 not in above  # it is hidden, and yet an object
    assert (found.objects[3].mask == masks[3]).all()


def test_where_nothing_was_found_no_pixel_has_a_class():
    found = Instances([], SIZE)
    assert found.shapes == found.objects == []
    assert (found.ids == 0).all()
    assert (found.places == -1).all()
    assert (found.labels == -1).all()
    pngs = CVATMasks(CLASSES[:2], PALETTE[:2]).pngs(found.labels, found.places)
    assert not any(np.asarray(Image.open(io.BytesIO(png))).any() for png in pngs)
    assert yolo_lines(found.shapes, SIZE) == ''


def test_ids_of_segments_say_their_class(segments):
    found, ids = segments
    assert [(one.id, one.label) for one in found.objects] == [(3, 2), (1002, 1), (2002, 1)]
    assert (found.labels == np.where(ids > 0, (ids - 1) % 1000, -1)).all()
    assert (found.places == np.select([ids == 3, ids == 1002, ids == 2002], [0, 1, 2], -1)).all()
    row = panoptic_annotation(found, 3, 'a.png')
    assert (row['image_id'], row['file_name']) == (3, 'a.png')
    assert {part['id']: part['category_id'] for part in row['segments_info']} == {
        3: 3,
        1002: 2,
        2002: 2,
    }
    for part in row['segments_info']:
        assert part['area'] == (ids == part['id']).sum()


@settings(max_examples=100, deadline=None)
@given(MASKS)
def test_a_code_decodes_to_its_mask_exactly(mask):
    code = encoded(mask)
    assert (Object(1, 0, code).mask == mask).all()
    again = dict(code, counts=json.loads(json.dumps(code['counts'].decode())).encode())
    assert (codes.decode(again) == mask).all()


@settings(max_examples=100, deadline=None)
@given(MASKS)
def test_polygons_of_any_mask_leave_its_holes_open(mask):
    shapes = mask_regions(mask, 2, 7)
    assert {(one.label, one.group) for one in shapes} <= {(2, 7)}
    for how in ('cut', 'pillow'):
        assert (drawn(shapes, mask.shape, how) == np.where(mask, 2, -1)).all()


def test_polygons_of_an_object_are_its_own_whatever_lies_over_it(instances):
    found, masks = instances
    for one, mask in zip(found.objects, masks, strict=True):
        shapes = [region for region in found.shapes if region.group == one.id]
        assert (drawn(shapes, SIZE, 'cut') == np.where(mask, one.label, -1)).all()
    rows = labelme_json(found.shapes, SIZE, CLASSES, 'a.jpg')['shapes']
    groups = [row['group_id'] for row in rows]
    assert groups == sorted(groups)
    assert groups.count(1) == 2  # a ring is cut through
    assert groups.count(5) == 4  # parts, of which one is a ring
    assert {row['label'] for row in rows if row['group_id'] == 5} == {CLASSES[3]}


def test_a_line_of_yolo_is_an_object_and_its_parts_are_joined_by_lines(instances):
    found, masks = instances
    lines = polygons_of(yolo_lines(found.shapes, SIZE))
    assert [label for label, _ in lines] == [3, 0, 3, 1]
    for (label, points), mask in zip(lines, masks, strict=True):
        shown = drawn([(label, points)], SIZE, 'cut') == label
        assert (shown | ~mask).all()  # nothing is lost
        beyond = (shown & ~mask).astype(np.uint8)
        assert not cv2.erode(beyond, np.ones((2, 2), np.uint8)).any()  # a pixel wide
    joined = drawn([lines[2]], SIZE, 'cut') == 3
    assert cv2.connectedComponents(joined.astype(np.uint8))[0] == 2  # with what is around
    assert (joined & ~masks[2]).sum() < 80  # the ways are short: 34 and 27 pixels


def test_each_object_has_a_colour_of_cvat_and_each_class_that_of_its_palette(instances):
    found, masks = instances
    classes, objects = (
        np.asarray(Image.open(io.BytesIO(png)))
        for png in CVATMasks(['background', *CLASSES[:1], *CLASSES[1:2], 'sign'], PALETTE).pngs(
            found.labels, found.places
        )
    )
    shown = np.select(masks, [1, 0, 5, 0], 0)  # class 0 is CVAT's background: no object
    colours = {i: np.unique(objects[shown == i], axis=0).tolist() for i in (0, 1, 5)}
    assert colours[0] == [[0, 0, 0]]
    assert len(colours[1]) == len(colours[5]) == 1
    assert colours[1] != colours[5]
    assert (classes[shown > 0] == PALETTE[3]).all()  # both are of one class
    assert not classes[shown == 0].any()


def test_more_objects_than_classes_have_different_colours():
    ids = np.arange(1, 301).reshape(15, 20) * 1000 + 1
    found = Segments(ids)
    png = CVATMasks(CLASSES[:1], PALETTE[:1]).pngs(found.labels, found.places)[1]
    colours = np.asarray(Image.open(io.BytesIO(png))).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) == 300


def test_annotations_of_coco_have_scores_and_ids_of_their_own(instances):
    found, masks = instances
    rows = coco_annotations(found, 3)
    assert [row['score'] for row in rows] == [0.9, 0.8, 0.5, 1 / 3]
    assert [row['category_id'] for row in rows] == [4, 1, 4, 2]
    for row, mask in zip(rows, masks, strict=True):
        assert (codes.decode(row['segmentation']) == mask).all()
        assert row['area'] == mask.sum()
    others = coco_annotations(found, 4)
    assert len({row['id'] for row in rows + others}) == 8


def test_what_a_later_run_reads_is_what_was_found(tmp_path, instances, segments):
    for writer, (found, _) in ((ObjectsWriter, instances), (IdsWriter, segments)):
        of = writer(tmp_path, CLASSES, PALETTE)
        of.write(PHOTO, found)
        again = of.read(PHOTO)
        assert again.size == found.size
        assert again.objects == found.objects
        assert (again.ids == found.ids).all()
    IdsWriter(tmp_path, CLASSES, PALETTE).write(PHOTO, instances[0])
    shown = np.asarray(Image.open(tmp_path / 'png' / 'a.png')).astype(int)
    assert (shown @ (1, 256, 65536) == instances[0].ids).all()


def test_ids_beyond_16_bits_are_kept(tmp_path):
    ids = np.array([[0, 1, 70_009], [16_000_999, 256, 65_536]])
    writer = IdsWriter(tmp_path, CLASSES, PALETTE)
    writer.write(PHOTO, Segments(ids))
    assert (writer.read(PHOTO).ids == ids).all()


def test_a_class_of_a_label_map_is_one_object_of_each_format(labels):
    found = Labels(labels, 4)
    again = np.full(labels.shape, -1)
    for row in coco_annotations(found, 1):
        assert 'score' not in row
        again[codes.decode(row['segmentation']).astype(bool)] = row['category_id'] - 1
    assert (again == known(labels)).all()
