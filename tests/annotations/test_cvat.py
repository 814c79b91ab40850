import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.annotations.cvat import CVATMasks, write_cvat_zip

from .conftest import CLASSES, PALETTE, known, label_map

NAMES = ['road', 'car', 'sign "stop"', "child's toy"]


def write(path, maps, classes=NAMES):
    masks = CVATMasks(classes, PALETTE)
    write_cvat_zip(path, ((name, masks.pngs(one)) for name, one in maps), masks)


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
    write(tmp_path / 'cvat.zip', maps.items())
    photos = read_as_cvat_does(tmp_path / 'cvat.zip')
    assert list(photos) == ['a', 'b/a']
    for name, labels in maps.items():
        assert (photos[name] == np.array([*NAMES, None], object)[known(labels)]).all()


def test_a_class_called_background_is_cvats_own(tmp_path):
    labels = label_map(none=False)
    write(tmp_path / 'a.zip', [('a', labels)], ['Background', *NAMES[1:]])
    found = read_as_cvat_does(tmp_path / 'a.zip')['a']
    assert (found == np.array([None, *NAMES[1:]], object)[labels]).all()


def test_the_same_photos_give_the_same_bytes(tmp_path):
    for name in ('a', 'b'):
        write(tmp_path / name, [('a', label_map())])
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


@pytest.mark.parametrize(
    ('classes', 'palette', 'message'),
    [
        (CLASSES, PALETTE, 'class \'sign: "stop"\' cannot be a label'),
        (
            NAMES,
            [[0, 0, 0], *PALETTE[1:]],
            "class 'road' has the colour .0, 0, 0. of CVAT's background",
        ),
        (
            NAMES,
            [PALETTE[1], *PALETTE[1:]],
            "class 'car' has the colour .0, 200, 0. of class 'road'",
        ),
    ],
)
def test_what_cvat_could_not_read_is_an_error_before_anything_is_written(classes, palette, message):
    with pytest.raises(ValueError, match=message):
        CVATMasks(classes, palette)
