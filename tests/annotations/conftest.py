"""Label maps with islands, pixels of no class, lines and single pixels, and what draws them."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

CLASSES = ['road', 'car', 'sign: "stop"', "child's toy"]
PALETTE = [[120, 60, 20], [0, 200, 0], [10, 10, 250], [255, 255, 0]]


def label_map(seed=0, height=37, width=53, none=True):
    """Blobs of 4 classes, rings in rings, noise, and pixels of no class (-1 and 255)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 4, (5, 7)).astype(np.uint8)
    labels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int64)
    for radius, label in ((11, 1), (8, 2), (5, 1), (2, 3)):
        rows, columns = np.ogrid[:height, :width]
        labels[(rows - 18) ** 2 + (columns - 25) ** 2 < radius**2] = label
    spots = rng.random((height, width)) < 0.03
    labels[spots] = rng.integers(0, 4, spots.sum())
    if none:
        labels[rng.random((height, width)) < 0.02] = -1
        labels[16:19, 24] = 255
    return labels


@pytest.fixture
def classes():
    return CLASSES


@pytest.fixture
def palette():
    return PALETTE


@pytest.fixture(params=[True, False], ids=['with no class', 'all of a class'])
def labels(request):
    return label_map(none=request.param)


def known(labels, num_classes=4):
    """Labels with -1 for every value that is no class."""
    return np.where((labels >= 0) & (labels < num_classes), labels, -1)


def drawn(shapes, size, how):
    """(H, W) labels of (label, points) drawn one over the other, -1 where nothing is: as those do
    who cut fractions off (`'cut'`) or round (`'round'`) and fill by OpenCV, or by Pillow."""
    image = np.full(size, -1, np.int32)
    for label, points, *_ in shapes:
        if how == 'pillow':
            mask = Image.new('1', size[::-1], 0)
            xy = [tuple(point) for point in np.asarray(points).tolist()]
            ImageDraw.Draw(mask).polygon(xy, fill=1, outline=1)
            image[np.array(mask)] = label
        else:
            points = np.round(points) if how == 'round' else np.trunc(points)
            cv2.fillPoly(image, [points.astype(np.int32)], label)
    return image
