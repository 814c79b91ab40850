"""Photos are read by one rule, upright, and a damaged one is named."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.datasets import LoadLabels, LoadPhoto
from mmseg_zsclip.datasets.base import SegDataset
from mmseg_zsclip.datasets.label_files import write_label_file
from mmseg_zsclip.datasets.photo_files import check_finite, photo_header, read_photo

PIXELS = np.kron(np.random.default_rng(0).integers(0, 255, (4, 6, 3)), np.ones((16, 16, 1)))


def save(path, orientation=None, kind='PNG', **options):
    if orientation:
        exif = Image.Exif()
        exif[0x112] = orientation
        options['exif'] = exif
    Image.fromarray(PIXELS.astype(np.uint8)).save(path, kind, **options)
    return str(path)


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_is_applied_as_every_viewer_does(tmp_path, kind, orientation):
    from PIL import ImageOps

    path = save(tmp_path / 'a', orientation, kind)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert('RGB'), int)
    ours = read_photo(path, 'rgb')
    assert ours.shape == upright.shape
    assert photo_header(path) == (upright.shape[:2], orientation)
    assert np.abs(ours - upright).mean() < 2


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
@pytest.mark.parametrize('mode', ['RGB', 'L', 'P', 'CMYK', 'RGBA', 'I;16'])
def test_pixels_of_sound_photos_are_those_of_mmcv(tmp_path, kind, mode):
    import mmcv

    if (kind == 'JPEG') != (mode in ('CMYK', 'L')) and mode != 'RGB':
        pytest.skip(f'{kind} has no {mode}, or it is tried as the other kind')
    image = Image.fromarray(PIXELS.astype(np.uint8))
    if mode == 'I;16':
        image = Image.fromarray((PIXELS[..., 0] * 257).astype(np.uint16))
    else:
        image = image.convert(mode)
    image.save(tmp_path / 'a', kind)
    assert np.array_equal(read_photo(tmp_path / 'a'), mmcv.imread(tmp_path / 'a'))
    out = LoadPhoto().transform(dict(img_path=str(tmp_path / 'a')))
    assert out['img_shape'] == out['ori_shape'] == (64, 96)


def bomb(path):
    """A PNG that declares 60000 x 60000 pixels in a hundred bytes."""
    import struct
    import zlib

    def chunk(name, data):
        return (
            struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        )

    path.write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0))
        + chunk(b'IDAT', zlib.compress(b'0'))
        + chunk(b'IEND', b'')
    )


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'', 'is empty'),
        (b'hello', 'cannot be decoded'),
        (None, 'does not exist'),
        ('folder', 'cannot be read'),
        ('bomb', 'too many pixels'),
        ('half.JPEG', 'truncated or damaged'),
        ('half.PNG', 'truncated or damaged'),
        ('half.WEBP', 'damaged'),
        ('half.BMP', 'truncated or damaged'),
        ('thumb', 'damaged'),
        ('float', 'holds fractions'),
    ],
)
def test_a_bad_photo_is_named(tmp_path, content, words):
    path = tmp_path / 'photo.x'
    if content == 'folder':
        path.mkdir()
    elif content == 'bomb':
        bomb(path)
    elif content == 'float':
        Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(path, 'TIFF')
    elif content == 'thumb':  # whose thumbnail has an end of its own
        small, exif = io.BytesIO(), Image.Exif()
        Image.new('RGB', (8, 8)).save(small, 'JPEG')
        exif[0x927C] = small.getvalue()
        save(path, kind='JPEG', exif=exif)
        path.write_bytes(path.read_bytes()[:-200])
    elif isinstance(content, str):
        save(path, kind=content[5:])
        path.write_bytes(path.read_bytes()[:-100])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=words) as info:
        read_photo(path)
    assert 'photo.x' in str(info.value)
    assert '\n' not in str(info.value)


def loaded(photo, labels):
    out = LoadPhoto().transform(dict(img_path=str(photo)))
    out.update(seg_map_path=str(labels), reduce_zero_label=False, label_map=None)
    return LoadLabels(['a', 'b']).transform(out)


@pytest.mark.parametrize('size', [(128, 192), (32, 48), (48, 96), (96, 64)])
def test_a_label_map_of_another_size_is_an_error(tmp_path, size):
    photo = save(tmp_path / 'photo.png')
    write_label_file(np.zeros(size, np.uint8), tmp_path / 'label.png')
    with pytest.raises(
        ValueError,
        match=rf'label\.png has {size[1]} x {size[0]} pixels.*'
        r'photo\.png 96 x 64',
    ):
        loaded(photo, tmp_path / 'label.png')


def test_a_label_map_drawn_on_the_stored_pixels_names_exif(tmp_path):
    photo = save(tmp_path / 'photo.jpg', 6, 'JPEG')
    write_label_file(np.zeros((96, 64), np.uint8), tmp_path / 'label.png')
    assert loaded(photo, tmp_path / 'label.png')['gt_seg_map'].shape == (96, 64)
    write_label_file(np.zeros((64, 96), np.uint8), tmp_path / 'label.png')
    with pytest.raises(ValueError, match='turned by its EXIF orientation'):
        loaded(photo, tmp_path / 'label.png')


def test_sizes_are_compared_after_a_resize_too(tmp_path):
    """mmseg's test pipelines load the labels behind Resize, at the size of the file."""
    for part in ('img', 'ann'):
        (tmp_path / part).mkdir()
    save(tmp_path / 'img' / 'a.jpg', kind='JPEG')

    def build():
        return SegDataset(
            data_root=str(tmp_path),
            data_prefix=dict(img_path='img', seg_map_path='ann'),
            metainfo=dict(classes=['a', 'b']),
            pipeline=[
                dict(type='mmcv.LoadImageFromFile'),
                dict(type='mmcv.Resize', scale=(48, 32)),
                dict(type='mmseg_zsclip.LoadLabels', classes=['a', 'b']),
            ],
        )

    write_label_file(np.zeros((64, 96), np.uint8), tmp_path / 'ann' / 'a.png')
    assert build()[0]['gt_seg_map'].shape == (64, 96)
    write_label_file(np.zeros((32, 48), np.uint8), tmp_path / 'ann' / 'a.png')
    with pytest.raises(ValueError, match='has 48 x 32 pixels'):
        build()[0]


def test_nan_in_an_image_of_fractions_is_named(tmp_path):
    with pytest.raises(ValueError, match='a.npy holds NaN or infinity in 2 of 12 values'):
        check_finite('a.npy', np.array([[[np.nan, 1, np.inf]] * 1] + [[[0, 0, 0]]] * 3))
    path = str(tmp_path / 'a.tiff')
    cv2.imwrite(
        path, np.full((4, 4, 3), np.nan, np.float32), [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    )  # none: OpenCV 4 would make numbers of NaN
    with pytest.raises(ValueError, match='a.tiff holds NaN'):
        LoadPhoto(color_type='unchanged').transform(dict(img_path=path))


def test_255_is_a_class_of_300_for_every_step_that_pads():
    from mmseg_zsclip.registry import DATASETS

    names = [f'name {i}' for i in range(300)]
    data = DATASETS.build(
        dict(
            type='mmseg_zsclip.SegDataset',
            lazy_init=True,
            metainfo=dict(classes=names),
            pipeline=[
                dict(type='mmseg.RandomCrop', crop_size=(4, 4)),
                dict(type='mmseg.RandomRotate', prob=1, degree=9),
                dict(type='mmcv.Pad', size=(8, 8)),
            ],
        )
    )
    crop, rotate, pad = data.pipeline.transforms
    assert crop.ignore_index == rotate.seg_pad_val == pad.pad_val['seg'] == 65535
    assert data.ignore_index == 65535
