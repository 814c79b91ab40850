import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mmseg_zsclip.annotations.polygons import regions

from .conftest import drawn, known


@pytest.mark.parametrize('how', ['cut', 'round', 'pillow'])
def test_polygons_drawn_in_their_order_give_the_labels_again(labels, how):
    assert (drawn(regions(labels, 4), labels.shape, how) == known(labels)).all()


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.int16, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(-1, 3))
)
def test_polygons_of_any_labels_give_them_again(labels):
    for how in ('cut', 'pillow'):
        assert (drawn(regions(labels, 3), labels.shape, how) == known(labels, 3)).all()


def test_a_region_that_leaves_anothers_hole_at_a_corner_is_not_covered():
    labels = np.zeros((7, 9), int)
    labels[1:6, 1:6] = 1
    labels[2:5, 2:5] = 2  # inside the ring of 1 ...
    labels[5, 5], labels[6, 6] = 2, 2  # ... and out of it, corner by corner
    assert (drawn(regions(labels, 3), labels.shape, 'cut') == labels).all()


def test_a_ring_around_pixels_of_no_class_is_cut_and_another_is_not():
    labels = np.zeros((9, 9), int)
    labels[3:6, 3:6] = 1
    assert [one.label for one in regions(labels, 2)] == [0, 1]
    labels[3:6, 3:6] = -1
    assert [one.label for one in regions(labels, 2)] == [0, 0]


def test_a_polygon_has_three_corners_at_least_and_lies_in_the_picture():
    labels = np.zeros((4, 5), int)
    labels[3, 4] = 1
    labels[0, :2] = 2
    for _, points, _ in regions(labels, 3):
        assert len(points) >= 3
        assert (points > 0).all()
        assert (points < (5, 4)).all()


def test_nothing_is_of_a_class():
    assert regions(np.full((3, 3), 255), 4) == []


def test_large_photos_with_many_holes_of_no_class_are_cut_without_deep_recursion():
    labels = np.zeros((3, 4001), int)
    labels[1, 1::2] = -1
    shapes = regions(labels, 1)
    assert len(shapes) > 2000
    assert (drawn(shapes, labels.shape, 'cut') == labels).all()


def test_a_region_has_one_polygon(labels):
    counts = sum(
        cv2.connectedComponents((labels == label).astype(np.uint8), connectivity=4)[0] - 1
        for label in range(4)
    )
    assert len(regions(labels, 4)) >= counts
    whole = np.where((labels < 0) | (labels > 3), 0, labels)
    counts = sum(
        cv2.connectedComponents((whole == label).astype(np.uint8), connectivity=4)[0] - 1
        for label in range(4)
    )
    assert len(regions(whole, 4)) == counts
