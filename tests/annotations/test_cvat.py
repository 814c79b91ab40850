import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.annotations.cvat import write_cvat_zip

from .conftest import CLASSES, PALETTE, known, label_map

NAMES = ['road', 'car', 'sign "stop"', "child's toy"]


def read_as_cvat_does(path):
    """The masks of each photo by the rules of docs.cvat.ai, "Segmentation Mask": name of the photo
    -> (H, W) names of classes, None where no object is."""
    with zipfile.ZipFile(path) as archive:
        names, colours = [], {}
        for line in archive.read('labelmap.txt').decode().splitlines():
            if not line.startswith('#'):
                name, colour, parts, actions = line.split(':')
                assert parts == actions == ''
                assert name not in names
                names.append(name)
                colours[tuple(map(int, colour.split(',')))] = name
        assert len(colours) == len(names)
        photos = {}
        for photo in archive.read('ImageSets/Segmentation/default.txt').decode().splitlines():
            classes, objects = (
                np.asarray(Image.open(io.BytesIO(archive.read(f'{folder}/{photo}.png'))))
                for folder in ('SegmentationClass', 'SegmentationObject')
            )
            assert classes.dtype == objects.dtype == np.uint8
            assert classes.shape == objects.shape
            found = np.full(classes.shape[:2], None)
            for colour in np.unique(objects.reshape(-1, 3), axis=0):
                mask = (objects == colour).all(axis=2)
                inside = {tuple(one) for one in classes[mask].tolist()}
                assert len(inside) == 1  # an object has one class
                if colour.any():  # black is the background
                    found[mask] = colours[inside.pop()]
            photos[photo] = found
        assert len(archive.namelist()) == 2 + 2 * len(photos)
    return photos


def test_the_zip_has_cvats_layout_and_the_labels(tmp_path):
    maps = {'a': label_map(1), 'b/a': label_map(2, 20, 61, none=False)}
    write_cvat_zip(tmp_path / 'cvat.zip', maps.items(), NAMES, PALETTE)
    photos = read_as_cvat_does(tmp_path / 'cvat.zip')
    assert list(photos) == ['a', 'b/a']
    for name, labels in maps.items():
        assert (photos[name] == np.array([*NAMES, None], object)[known(labels)]).all()


def test_a_class_called_background_is_cvats_own(tmp_path):
    labels = label_map(none=False)
    write_cvat_zip(tmp_path / 'a.zip', [('a', labels)], ['Background', *NAMES[1:]], PALETTE)
    found = read_as_cvat_does(tmp_path / 'a.zip')['a']
    assert (found == np.array([None, *NAMES[1:]], object)[labels]).all()


def test_the_same_photos_give_the_same_bytes(tmp_path):
    for name in ('a', 'b'):
        write_cvat_zip(tmp_path / name, [('a', label_map())], NAMES, PALETTE)
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


@pytest.mark.parametrize(
    ('classes', 'palette', 'message'),
    [
        (CLASSES, PALETTE, 'class \'sign: "stop"\' cannot be a label'),
        (NAMES, [[0, 0, 0], *PALETTE[1:]], "class 'road' is black"),
        (NAMES, [PALETTE[1], *PALETTE[1:]], 'two classes have the same colour'),
    ],
)
def test_what_cvat_could_not_read_is_an_error_and_leaves_nothing(
    tmp_path, classes, palette, message
):
    with pytest.raises(ValueError, match=message):
        write_cvat_zip(tmp_path / 'a.zip', [('a', label_map())], classes, palette)
    assert list(tmp_path.iterdir()) == []
