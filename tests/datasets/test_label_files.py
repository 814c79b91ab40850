from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.datasets.label_files import LabelReader, read_label_file, write_label_file


def store(path, values, dtype=np.uint8):
    write_label_file(np.array(values, dtype), path)
    return str(path)


def test_written_files_are_whole_or_absent(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError('disk full')

    monkeypatch.setattr(Image.Image, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        store(tmp_path / 'a.png', [[1]])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('dtype', 'values'), [(np.uint8, [[0, 200, 255]]), (np.uint16, [[0, 300, 65535]])]
)
def test_stored_values_come_back(tmp_path, dtype, values):
    assert read_label_file(store(tmp_path / 'a.png', values, dtype)).tolist() == values


def test_palette_files_give_indices_not_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 15, 255]], np.uint8))
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / 'a.png')
    assert read_label_file(str(tmp_path / 'a.png')).tolist() == [[0, 15, 255]]


def test_voc_background_and_border_never_become_class_0(tmp_path):
    path = store(tmp_path / 'a.png', [[0, 1, 20, 255]])
    assert LabelReader(20, reduce_zero_label=True)(path).tolist() == [[255, 0, 19, 255]]
    assert LabelReader(21)(path).tolist() == [[0, 1, 20, 255]]


def test_labels_above_255_do_not_wrap(tmp_path):
    path = store(tmp_path / 'a.png', [[255, 256, 300, 846, 65535]], np.uint16)
    labels = LabelReader(847)(path)
    assert labels.dtype == np.int32
    assert labels.tolist() == [[255, 256, 300, 846, 65535]]


def test_zero_label_of_a_large_set(tmp_path):
    path = store(tmp_path / 'a.png', [[0, 1, 459, 65535]], np.uint16)
    assert LabelReader(459, reduce_zero_label=True)(path).tolist() == [[65535, 0, 458, 65535]]


def test_label_map_of_mmseg(tmp_path):
    path = store(tmp_path / 'a.png', [[0, 1, 2, 255]])
    reader = LabelReader(2, label_map={0: 1, 1: 255, 2: 0})
    assert reader(path).tolist() == [[1, 255, 0, 255]]


def test_32_bit_files(tmp_path):
    Image.fromarray(np.array([[0, 846, 65535]], np.int32)).save(tmp_path / 'a.tif')
    assert LabelReader(847)(str(tmp_path / 'a.tif')).tolist() == [[0, 846, 65535]]
    Image.fromarray(np.array([[0, 70000, -3]], np.int32)).save(tmp_path / 'b.tif')
    with pytest.raises(ValueError, match=r'b\.tif holds .*legal: 0 to 846'):
        LabelReader(847)(str(tmp_path / 'b.tif'))


def message_of(reader, path):
    with pytest.raises((ValueError, FileNotFoundError)) as info:
        reader(path)
    return str(info.value)


def test_values_outside_the_classes_name_file_and_values(tmp_path):
    message = message_of(LabelReader(11), store(tmp_path / 'a.png', [[10, 11, 60, 255]]))
    assert 'a.png holds 11, 60; legal: 0 to 10 (11 classes) and 255 (ignored).' in message
    message = message_of(LabelReader(20, reduce_zero_label=True), store(tmp_path / 'a.png', [[21]]))
    assert 'holds 21; legal: 1 to 20 (20 classes, 0 = ignored) and 255' in message


def test_raw_coco_stuff_ids_are_named_with_the_command(tmp_path):
    message = message_of(LabelReader(171), store(tmp_path / 'a.png', [[3, 181]]))
    assert 'holds 181' in message
    assert 'tools/dataset_converters/coco_stuff164k.py' in message


def test_8_bits_are_ambiguous_where_255_is_a_class(tmp_path):
    message = message_of(LabelReader(847), store(tmp_path / 'a.png', [[3, 255]]))
    assert 'has 8 bits and holds 255' in message
    assert LabelReader(847)(store(tmp_path / 'b.png', [[3, 254]])).tolist() == [[3, 254]]


def test_what_is_no_label_map_is_refused(tmp_path):
    reader = LabelReader(2)
    assert 'does not exist' in message_of(reader, str(tmp_path / 'none.png'))
    (tmp_path / 'text.png').write_text('hello')
    assert 'cannot be read as an image' in message_of(reader, str(tmp_path / 'text.png'))
    (tmp_path / 'empty.png').write_bytes(b'')
    assert 'cannot be read as an image' in message_of(reader, str(tmp_path / 'empty.png'))
    Image.new('RGB', (2, 2)).save(tmp_path / 'rgb.png')
    assert 'mode RGB, shape (2, 2, 3)' in message_of(reader, str(tmp_path / 'rgb.png'))
    whole = store(tmp_path / 'a.png', np.random.default_rng(0).integers(0, 2, (64, 64)))
    (tmp_path / 'half.png').write_bytes(Path(whole).read_bytes()[:-100])
    assert 'cannot be read as an image' in message_of(reader, str(tmp_path / 'half.png'))


@pytest.mark.parametrize(
    ('values', 'dtype', 'shown'),
    [
        ([[-3, 0]], np.int32, 'holds -3;'),
        ([[70000, 0]], np.int32, 'holds 70000;'),
        ([[0, -3, -40000]], np.int32, 'holds -40000, -3;'),
    ],
)
def test_values_of_wide_maps_are_named_as_they_are(tmp_path, values, dtype, shown):
    Image.fromarray(np.array(values, dtype)).save(tmp_path / 'b.tif')
    assert shown in message_of(LabelReader(3), str(tmp_path / 'b.tif'))


def test_fractions_name_their_values(tmp_path):
    Image.fromarray(np.array([[0.5, 1]], np.float32)).save(tmp_path / 'f.tif')
    assert 'values such as 0.5, 1.0' in message_of(LabelReader(3), str(tmp_path / 'f.tif'))


def test_a_map_of_one_bit_is_a_map_of_two_classes(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / 'a.png')
    assert LabelReader(2)(str(tmp_path / 'a.png')).tolist() == [[1, 0]]


def test_lossy_animated_and_turned_label_files_are_refused(tmp_path):
    image = Image.fromarray(np.zeros((8, 8), np.uint8))
    image.save(tmp_path / 'a.jpg')
    assert 'is a JPEG, which smears' in message_of(LabelReader(2), str(tmp_path / 'a.jpg'))
    exif = Image.Exif()
    exif[0x112] = 6
    image.save(tmp_path / 'e.png', exif=exif)
    assert 'has EXIF orientation 6' in message_of(LabelReader(2), str(tmp_path / 'e.png'))
    other = Image.fromarray(np.ones((8, 8), np.uint8))
    image.save(tmp_path / 'm.tif', save_all=True, append_images=[other])
    assert 'holds 2 frames' in message_of(LabelReader(2), str(tmp_path / 'm.tif'))
