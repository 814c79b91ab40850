"""What a visitor gives: each wrong thing is told in words."""

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.web import inputs
from mmseg_zsclip.web.inputs import MOST_CLASSES, examples, uploaded, words_of


def test_classes_stand_in_lines_or_behind_semicolons():
    assert words_of('sky; grass, meadow\n\n dog ;\n') == ['sky', 'grass, meadow', 'dog']


@pytest.mark.parametrize('text', ['', '  \n', ' ; ;'])
def test_no_class_is_told(text):
    with pytest.raises(ValueError, match='there is no class. Write at least one'):
        words_of(text)


def test_too_many_classes_are_told_with_both_numbers():
    assert len(words_of(';'.join(map(str, range(MOST_CLASSES))))) == MOST_CLASSES
    with pytest.raises(ValueError, match='101 classes are too many for the page; it takes 100'):
        words_of(';'.join(map(str, range(MOST_CLASSES + 1))))


def test_what_is_no_image_is_told_without_the_folder(tmp_path):
    (tmp_path / 'notes.png').write_text('no image')
    with pytest.raises(
        ValueError, match='^photo notes.png cannot be decoded: damaged, or of no known format'
    ) as error:
        uploaded(tmp_path / 'notes.png')
    assert str(tmp_path) not in str(error.value)


def test_a_damaged_image_is_told_without_the_folder(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.png')
    whole = (tmp_path / 'a.png').read_bytes()
    (tmp_path / 'a.png').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match='a.png') as error:
        uploaded(tmp_path / 'a.png')
    assert str(tmp_path) not in str(error.value)


def test_too_many_pixels_are_told_before_they_are_read(tmp_path, monkeypatch):
    Image.new('L', (60, 50)).save(tmp_path / 'a.png')
    monkeypatch.setattr(inputs, 'MOST_PIXELS', 2000)
    monkeypatch.setattr(inputs, 'photo_pixels', lambda path: pytest.fail('it was read'))
    with pytest.raises(ValueError, match='a.png has 60 x 50 pixels; the page takes'):
        uploaded(tmp_path / 'a.png')


def test_a_photo_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (20, 10), 'red').save(tmp_path / 'a.jpg', exif=exif)
    photo = uploaded(tmp_path / 'a.jpg')
    assert photo.name == 'a.jpg'
    assert photo.pixels.shape == (20, 10, 3)
    assert np.abs(photo.pixels[0, 0].astype(int) - (255, 0, 0)).max() < 20


def test_examples_bring_their_words():
    for photo in examples():
        assert photo.pixels.shape == (384, 384, 3)
        assert len(words_of(photo.words)) > 2
