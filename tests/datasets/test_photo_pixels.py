"""A photo gives the same pixels as a file, an array and Pillow's image."""

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.datasets.photo_pixels import photo_pixels

PIXELS = np.kron(np.random.default_rng(0).integers(0, 255, (4, 6, 3)), np.ones((16, 16, 1))).astype(
    np.uint8
)
IMAGE = Image.fromarray(PIXELS)


def test_arrays_are_rgb_and_loaders_bgr():
    assert np.array_equal(photo_pixels(PIXELS), PIXELS[..., ::-1])


def test_a_path_a_pillow_image_and_an_array_are_one_photo(tmp_path):
    IMAGE.save(tmp_path / 'a.png')
    for photo in (tmp_path / 'a.png', str(tmp_path / 'a.png'), Image.open(tmp_path / 'a.png')):
        assert np.array_equal(photo_pixels(photo), PIXELS[..., ::-1])


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_pillow_image_is_turned_as_its_file_is(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    IMAGE.save(tmp_path / 'a', kind, exif=exif)
    of_file = photo_pixels(tmp_path / 'a').astype(int)
    of_image = photo_pixels(Image.open(tmp_path / 'a')).astype(int)
    assert of_file.shape == ((64, 96, 3) if orientation < 5 else (96, 64, 3))
    assert of_file.shape == of_image.shape
    assert np.abs(of_file - of_image).mean() < 1


@pytest.mark.parametrize(
    'mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'RGBX', 'CMYK', 'YCbCr', 'HSV', 'La', 'RGBa']
)
def test_every_mode_of_pillow_is_read(mode):
    image = IMAGE.convert('LA' if mode == 'La' else 'RGBA' if mode == 'RGBa' else mode)
    found = photo_pixels(image)
    assert found.shape == (64, 96, 3)
    expected = np.asarray(image.convert('RGB'))[..., ::-1]
    assert np.array_equal(found, expected)
    assert np.array_equal(photo_pixels(image.convert(mode)), expected)


@pytest.mark.parametrize(
    ('file', 'kind', 'mode'), [('a.jpg', 'JPEG', 'CMYK'), ('a.png', 'PNG', 'P')]
)
def test_a_cmyk_jpeg_and_a_palette_are_read_alike(tmp_path, file, kind, mode):
    IMAGE.convert(mode).save(tmp_path / file, kind)
    of_file = photo_pixels(tmp_path / file).astype(int)
    assert np.abs(of_file - photo_pixels(Image.open(tmp_path / file))).mean() < 3


def test_sixteen_bits_keep_their_upper_eight(tmp_path):
    wide = PIXELS[..., 0].astype(np.uint16) * 257
    Image.fromarray(wide).save(tmp_path / 'a.png')
    for photo in (tmp_path / 'a.png', Image.open(tmp_path / 'a.png'), wide, wide[..., None]):
        found = photo_pixels(photo)
        assert np.array_equal(found, np.repeat(PIXELS[..., :1], 3, axis=2))
    old = Image.fromarray(wide.astype(np.int32))  # what Pillow made of such files before 11
    assert np.array_equal(photo_pixels(old)[..., 0], PIXELS[..., 0])


def test_grey_and_alpha_of_arrays():
    grey = PIXELS[..., 0]
    alpha = np.concatenate([PIXELS, PIXELS[..., :1]], axis=2)
    assert np.array_equal(photo_pixels(alpha), PIXELS[..., ::-1])
    for array in (grey, grey[..., None], np.stack([grey, 255 - grey], axis=2)):
        assert np.array_equal(photo_pixels(array)[..., 1], grey)
    assert photo_pixels(grey > 100).max() == 255


@pytest.mark.parametrize(
    ('photo', 'kind', 'message'),
    [
        (PIXELS / 255, ValueError, r'holds float64.*\(255 \* array\)'),
        (PIXELS.astype(np.int64), ValueError, 'holds int64'),
        (PIXELS.transpose(2, 0, 1), ValueError, r'channels come last. Give array.transpose'),
        (PIXELS[None], ValueError, 'several photos are a list'),
        (PIXELS[:0], ValueError, r'no pixel: its shape is \(0, 96, 3\)'),
        (PIXELS[:, :, :0], ValueError, r'legal: \(H, W\) and'),
        (np.zeros(5, np.uint8), ValueError, r'has shape \(5,\)'),
        (IMAGE.convert('F'), ValueError, 'mode F'),
        (IMAGE.convert('L').convert('I').point(lambda v: v * 9999), ValueError, '16 bits can be'),
        ('https://example.org/a.jpg', ValueError, 'is an address. Download it first'),
        ('nothing://a.jpg', ValueError, 'nothing://'),
        ('none.jpg', FileNotFoundError, 'none.jpg does not exist'),
        ('.', ValueError, 'is a folder'),
        (None, TypeError, 'this one is NoneType'),
        (3, TypeError, 'a photo is a path, an RGB array'),
    ],
)
def test_what_is_no_photo_is_named(photo, kind, message):
    with pytest.raises(kind, match=message):
        photo_pixels(photo)


def test_a_pillow_image_of_a_cut_file_is_named(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'a.png').read_bytes()[:-9000])
    with pytest.raises(ValueError, match='cut.png is truncated or damaged'):
        photo_pixels(Image.open(tmp_path / 'cut.png'))
