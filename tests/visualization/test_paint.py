"""Label maps can be read without an eye for colour."""

import base64
import io

import numpy as np
from PIL import Image

from mmseg_zsclip.visualization.paint import SCALE, data_uri, named_regions, paint

CLASSES = ('sky', 'sand')
PALETTE = [[120, 190, 235], [235, 210, 130]]


def test_unseen_classes_are_striped_and_seen_ones_are_plain():
    halves = np.repeat([[0, 1]], 20, 0).repeat(20, 1)
    pixels = np.asarray(paint(halves, CLASSES, PALETTE, ['sand'], names=False))
    assert pixels.shape == (20 * SCALE, 40 * SCALE, 3)
    middle = pixels.shape[1] // 2
    assert (pixels[:, :middle] == PALETTE[0]).all()
    striped = pixels[:, middle + 1 :].reshape(-1, 3)
    assert len(np.unique(striped, axis=0)) == 2
    assert 0.2 < (striped != PALETTE[1]).any(1).mean() < 0.5


def test_large_regions_have_their_names_inside_and_unseen_names_a_star():
    labels = np.zeros((50, 50), int)
    labels[30:, 30:] = 1
    labels[0, 0] = 1  # too small for a name
    regions = dict(named_regions(labels, CLASSES, ['sand']))
    assert set(regions) == {'sky', 'sand*'}
    for name, (x, y) in regions.items():
        assert labels[int(y), int(x)] == CLASSES.index(name.rstrip('*'))


def test_values_without_a_class_stay_white():
    pixels = np.asarray(paint(np.full((4, 4), -1), CLASSES, PALETTE, []))
    assert (pixels == 255).all()


def test_picture_is_a_png_inside_a_uri():
    kind, text = data_uri(Image.new('RGB', (3, 2))).split(',')
    assert kind == 'data:image/png;base64'
    assert Image.open(io.BytesIO(base64.b64decode(text))).size == (3, 2)
