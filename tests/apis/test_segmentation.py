"""The answer: its own names and colours, how sure it is, and files."""

import json

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.apis.segmentation import resampled
from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.dataset import toy_path

SCENE = toy_path('toy', 128, 'images', 'test', 0)
NAMES = ('sky', 'grass', 'house', 'person')


@pytest.fixture(scope='module')
def out(seg):
    return seg(SCENE, ['sky', 'grass', 'house, home', 'person'])


def test_it_carries_the_names_of_the_call_and_colours_of_their_own(out):
    assert out.classes == NAMES
    assert len({tuple(colour) for colour in out.palette}) == len(NAMES)
    assert set(np.unique(out.labels)) <= set(range(4))
    assert (out.labels == out.scores.argmax(axis=0)).mean() > 0.9999


def test_scores_of_a_pixel_are_those_of_the_whole(out):
    found = out.scores_at(x=20, y=7)
    assert list(found) == [NAMES[i] for i in np.argsort(-out.scores[:, 7, 20])]
    np.testing.assert_allclose(list(found.values()), -np.sort(-out.scores[:, 7, 20]), rtol=1e-5)
    with pytest.raises(IndexError, match=r'pixel \(128, 0\) is outside of the photo of 128 x 128'):
        out.scores_at(128, 0)


def test_confidence_is_the_mean_probability_of_the_labels(out):
    scores = np.exp(out.scores - out.scores.max(axis=0))
    sure = (scores / scores.sum(axis=0)).max(axis=0)
    assert out.confidence == pytest.approx(sure.mean(), rel=1e-3)
    area = sum(region.area for region in out.regions)
    mean = sum(region.area * region.confidence for region in out.regions)
    assert area == pytest.approx(1)
    assert mean == pytest.approx(out.confidence, rel=1e-5)
    confidences = [region.confidence for region in out.regions]
    assert confidences == sorted(confidences)


def test_regions_lie_in_their_boxes(out):
    for region in out.regions:
        x0, y0, x1, y1 = region.box
        assert 0 <= x0 < x1 <= 128
        assert 0 <= y0 < y1 <= 128
        assert region.name == NAMES[region.label]
        inside = (out.labels[y0:y1, x0:x1] == region.label).sum()
        assert inside >= round(region.area * out.labels.size)


def test_wrong_pixels_are_less_sure_than_right_ones(seg):
    for i in range(6):
        scene = World('toy').scene('test', i)
        found = seg(scene.image)
        right = found.labels == scene.semantic
        sure = found.sure[1]
        assert sure[right].mean() > sure[~right].mean() + 0.05


def test_the_overlay_shows_each_class_in_its_colour_of_the_legend(out):
    picture = np.asarray(out.overlay(names=False)).astype(int)
    photo, colours = out.photo.astype(int), np.array(out.palette)
    inside = np.zeros((128, 128), bool)  # no outline
    inside[1:, 1:] = (out.labels[1:, 1:] == out.labels[:-1, 1:]) & (
        out.labels[1:, 1:] == out.labels[1:, :-1]
    )
    expected = 0.6 * colours[out.labels] + 0.4 * photo
    assert np.abs(picture[:128, :128] - expected)[inside].max() <= 1
    legend = {tuple(row) for row in picture[128:].reshape(-1, 3)}
    assert {tuple(out.palette[i]) for i in np.unique(out.labels)} <= legend
    assert out.overlay().size[1] > 128


def test_files_hold_the_labels_and_the_names(out, tmp_path):
    places = out.save(tmp_path / 'new' / 'folder')
    assert sorted(path.name for path in (tmp_path / 'new' / 'folder').iterdir()) == sorted(
        path.name for path in places.values()
    )
    stored = Image.open(places['labels'])
    assert np.array_equal(np.asarray(stored), out.labels)
    summary = json.loads(places['summary'].read_text())
    assert summary['classes'] == list(NAMES)
    assert summary['source'] == SCENE
    assert summary['regions'][0]['confidence'] == out.regions[0].confidence
    assert Image.open(places['overlay']).size == out.overlay().size


def test_more_than_254_classes_are_saved_in_16_bits(seg, tmp_path):
    found = seg(np.zeros((8, 8, 3), np.uint8), [f'thing {i}' for i in range(300)])
    assert found.ignored == 65535
    stored = np.asarray(Image.open(found.save(tmp_path)['labels']))
    assert np.array_equal(stored, found.labels)


def test_resampling_takes_the_nearest():
    values = np.arange(12).reshape(3, 4)
    assert np.array_equal(resampled(resampled(values, (6, 8)), (3, 4)), values)
