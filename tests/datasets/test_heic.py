"""Photos of phones: HEIC through the one reader of photos, where its extra is there."""

import sys

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.apis.photo_arguments import named_photos
from mmseg_zsclip.datasets.photo_files import photo_header, read_photo

HEADER = b'\x00\x00\x00\x18ftypheic' + bytes(40)


@pytest.fixture
def photo(tmp_path):
    """Four quarters, red, green, blue and white, 64 x 96, and what a viewer shows of its file,
    which states to be turned."""
    heif = pytest.importorskip('pillow_heif', reason='missing: pip install pillow-heif')
    heif.register_heif_opener()
    rgb = np.zeros((64, 96, 3), np.uint8)
    rgb[:32, :48], rgb[:32, 48:], rgb[32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    rgb[32:, 48:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb).save(tmp_path / 'a.HEIC', exif=exif.tobytes(), quality=100)
    return tmp_path / 'a.HEIC', np.rot90(rgb, 3)


def test_a_heic_photo_is_read_upright(photo):
    path, shown = photo
    found = read_photo(str(path), 'rgb')
    assert found.shape == shown.shape
    assert np.abs(found.astype(int) - shown)[8:-8, 8:-8].mean() < 6
    assert photo_header(str(path))[0] == shown.shape[:2]


def test_a_folder_has_heic_photos_too(photo):
    assert named_photos([str(photo[0].parent)]) == [str(photo[0])]


def test_a_heic_photo_that_is_cut_is_named(photo):
    content = photo[0].read_bytes()
    photo[0].write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r'photo .*a.HEIC'):
        read_photo(str(photo[0]))


def test_without_its_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pillow_heif', None)
    (tmp_path / 'a.heic').write_bytes(HEADER)
    with pytest.raises(ValueError, match=r'a.heic is HEIC.*pip install "mmseg_zsclip\[heic\]"'):
        read_photo(str(tmp_path / 'a.heic'))
