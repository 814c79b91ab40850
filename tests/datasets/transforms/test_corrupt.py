"""Corruptions: stronger with each severity, the same in every run."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from mmseg_zsclip.datasets import Corrupt
from mmseg_zsclip.datasets.transforms.corrupt import SEVERITIES
from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.dataset import ToyDataset

# Mean change in grey levels of the photos below by imagecorruptions-imaug 1.1.5, severities 1 to 5;
# what is random there was drawn 4 times a photo, spatter 20 times.
LIBRARY = {
    'gaussian_noise': (15.97, 23.57, 34.21, 46.76, 61.97),
    'shot_noise': (17.12, 26.00, 36.42, 53.67, 66.84),
    'impulse_noise': (3.86, 7.62, 11.48, 21.73, 34.45),
    'speckle_noise': (14.20, 18.63, 31.18, 38.79, 48.80),
    'gaussian_blur': (12.31, 19.03, 22.35, 24.33, 26.72),
    'defocus_blur': (18.46, 20.85, 24.04, 25.76, 26.93),
    'spatter': (1.16, 4.78, 7.76, 9.26, 14.88),
    'jpeg_compression': (11.32, 12.51, 13.33, 15.36, 17.64),
}


@pytest.fixture(scope='module')
def photos():
    return [np.ascontiguousarray(World('toy').scene('test', i).image[..., ::-1]) for i in range(8)]


def corrupt(photo, kind, severity, name='a.jpg', **kwargs):
    return Corrupt(kind, severity, **kwargs).transform(dict(img=photo, img_path=name))['img']


def test_maskclips_eight_kinds():
    assert sorted(SEVERITIES) == [
        'defocus_blur',
        'gaussian_blur',
        'gaussian_noise',
        'impulse_noise',
        'jpeg_compression',
        'shot_noise',
        'spatter',
        'speckle_noise',
    ]


@pytest.mark.parametrize('kind', SEVERITIES)
def test_each_severity_is_as_strong_as_in_the_library(kind, photos):
    distances = []
    for severity in range(1, 6):
        changed = [corrupt(p, kind, severity, f'{i}.jpg') for i, p in enumerate(photos)]
        assert {(c.dtype, c.shape) for c in changed} == {(np.dtype(np.uint8), (128, 128, 3))}
        distances.append(
            np.mean(
                [np.abs(c.astype(int) - p).mean() for c, p in zip(changed, photos, strict=True)]
            )
        )
    assert (np.diff([0, *distances]) > 0).all()
    assert distances == pytest.approx(LIBRARY[kind], rel=0.1 if kind == 'spatter' else 0.015)


@pytest.mark.parametrize('kind', SEVERITIES)
def test_any_shape(kind):
    photo = np.random.default_rng(0).integers(0, 256, (37, 50, 3), np.uint8)
    before = photo.copy()
    assert corrupt(photo, kind, 5).shape == photo.shape
    assert (photo == before).all()


def test_noise_has_the_published_strength():
    grey = np.full((200, 200, 3), 128, np.uint8)
    assert corrupt(grey, 'gaussian_noise', 1).std() == pytest.approx(0.08 * 255, rel=0.02)
    assert corrupt(grey, 'speckle_noise', 1).std() == pytest.approx(0.15 * 128, rel=0.02)
    assert corrupt(grey, 'shot_noise', 1).std() == pytest.approx(
        255 * (128 / 255 / 60) ** 0.5, rel=0.02
    )
    assert (corrupt(grey, 'impulse_noise', 5) != 128).mean() == pytest.approx(0.27, rel=0.02)


def test_blurs_keep_the_mean_and_an_edge_in_its_place():
    step = np.zeros((64, 64, 3), np.uint8)
    step[:, 32:] = 200
    for kind in ('gaussian_blur', 'defocus_blur'):
        blurred = corrupt(step, kind, 3)
        assert blurred.mean() == pytest.approx(100, abs=1)
        assert blurred[:, 31].mean() + blurred[:, 32].mean() == pytest.approx(200, abs=2)


def test_noise_depends_on_the_name_of_the_file_and_on_nothing_else(photos):
    first = corrupt(photos[0], 'gaussian_noise', 2, 'x/a.jpg')
    assert (first == corrupt(photos[0], 'gaussian_noise', 2, 'y/a.jpg')).all()
    for other in (dict(name='b.jpg'), dict(seed=1)):
        assert (first != corrupt(photos[0], 'gaussian_noise', 2, **other)).any()


def test_in_a_pipeline(photos):
    init_default_scope('mmseg')
    dataset = ToyDataset(
        'test',
        length=1,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg_zsclip.Corrupt', kind='spatter', severity=4),
            dict(type='PackSegInputs'),
        ],
    )
    expected = corrupt(photos[0], 'spatter', 4, 'test_000000.png')
    assert (dataset[0]['inputs'].numpy() == expected.transpose(2, 0, 1)).all()


def test_unknown_kind_lists_the_legal_ones():
    with pytest.raises(ValueError, match="unknown kind 'fog'; legal: gaussian_noise, .*spatter"):
        Corrupt('fog', 1)


@pytest.mark.parametrize('severity', [0, 6, 2.5])
def test_unknown_severity(severity):
    with pytest.raises(ValueError, match=f'unknown severity {severity}; legal: 1, 2, 3, 4, 5'):
        Corrupt('spatter', severity)


@pytest.mark.parametrize('image', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_an_image_that_was_already_normalised_is_refused(image):
    with pytest.raises(ValueError, match='legal: uint8 .* directly behind LoadImageFromFile'):
        corrupt(image, 'spatter', 1)
