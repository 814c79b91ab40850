"""Which photos of a folder are taken: none is left out without a word."""

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.datasets.base import SegDataset
from mmseg_zsclip.datasets.listing import left_out, photos_in


@pytest.fixture
def build(tmp_path):
    """Photos of these names, each with a label map, and the data set over them."""

    def make(*names, lines=None, **kwargs):
        for name in names:
            path = tmp_path / 'images' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', (8, 6)).save(path.with_suffix('.png'))
            path.with_suffix('.png').rename(path)
            labels = tmp_path / 'labels' / name
            labels.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((6, 8), np.uint8)).save(labels.with_suffix('.png'))
        if lines is not None:
            (tmp_path / 'list.txt').write_bytes(lines)
            kwargs['ann_file'] = 'list.txt'
        return SegDataset(
            data_root=str(tmp_path),
            metainfo=dict(classes=['sky', 'road']),
            pipeline=[],
            data_prefix=dict(img_path='images', seg_map_path='labels'),
            **kwargs,
        )

    return make


def names(dataset):
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    for info in infos:
        assert info['seg_map_path'].endswith('.png')
    return [info['img_path'].rpartition('/images/')[2] for info in infos]


def test_every_ending_is_taken_or_what_is_left_out_is_named(build, caplog):
    files = ('a.jpg', 'b.JPG', 'c.jpeg', 'sub/d.png', 'e.webp')
    assert names(build(*files, img_suffix=None)) == sorted(files)
    assert names(build(*files)) == ['a.jpg']
    assert left_out(['a.jpg', 'b.JPG', 'c.jpeg', 'd.jpeg', 'notes.txt'], ['a.jpg']) == (
        '1 .JPG, 2 .jpeg'
    )


def test_results_of_segmented_photos_below_them_are_no_photos(build, tmp_path):
    files = ('a.jpg', 'results/png/a.png', 'results/labelme/a.jpg')
    assert names(build(*files, img_suffix=None)) == sorted(files)
    (tmp_path / 'images/results/run.json').write_text('{"photos": {}, "palette": []}')
    assert names(build(*files, img_suffix=None)) == ['a.jpg']


def test_two_photos_of_one_name_are_an_error_that_names_both(build):
    with pytest.raises(ValueError, match=r"a.jpg and a.png would both have the label map of 'a'"):
        build('a.jpg', 'a.png', img_suffix=None)
    assert photos_in(['x/a.jpg', 'y/a.jpg'], None) == {'x/a': 'x/a.jpg', 'y/a': 'y/a.jpg'}


@pytest.mark.parametrize('lines', [b'b\na\n', b'b.jpg\r\na.jpg\r\n\r\n', b'\xef\xbb\xbfb\na'])
def test_a_list_of_names_may_have_endings_a_mark_and_any_line_ends(build, lines):
    assert names(build('a.jpg', 'b.jpg', 'c.jpg', lines=lines)) == ['b.jpg', 'a.jpg']


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (b'a\n\nb\n', 'list.txt, line 2 is empty'),
        (b'a\nnone\n', "line 2: 'none' names no photo in"),
        (b'a labels/a.png\n', 'line 1: .*Only its first word is one'),
        (b'a\na.jpg\n', "line 2: 'a.jpg' is listed in line 1 already"),
        ('ä\n'.encode('latin-1'), 'line 1: byte 0xe4 is not UTF-8'),
        ('a\n'.encode('utf-16'), 'this is UTF-16'),
        (b'', 'no image ending in .*listed by'),
    ],
)
def test_a_line_that_names_no_photo_is_named(build, lines, message):
    with pytest.raises(ValueError, match=message):
        build('a.jpg', 'b.jpg', lines=lines)
