"""Answers are those of the Python call, and so are the files."""

import io
import json
import tempfile

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as codes

from mmseg_zsclip.apis.segmenter import ZeroShotSegmenter
from mmseg_zsclip.web.answers import answers, files_of
from mmseg_zsclip.web.inputs import examples, words_of
from mmseg_zsclip.web.offers import Offers

PHOTO = examples()[0]


@pytest.fixture(scope='module')
def offers():
    return Offers()


@pytest.fixture(scope='module')
def expected():
    return ZeroShotSegmenter('toy')(PHOTO.pixels, words_of(PHOTO.words))


@pytest.fixture(scope='module')
def panel(offers):
    return answers(offers, ['toy'], PHOTO, PHOTO.words, False)[0]


def test_scores_at_a_pixel_are_those_of_the_python_call(panel, expected):
    assert panel.scores_at(100, 200) == expected.scores_at(100, 200)
    assert panel.scores_at(9999, -1) == expected.scores_at(383, 0)


def test_labels_shrink_to_bytes_and_keep_the_scores(offers, expected):
    (one,) = answers(offers, ['toy'], PHOTO, PHOTO.words, False)
    one.shrink()
    assert one.found.labels.dtype == np.uint8
    assert (one.found.labels == expected.labels).all()
    assert one.scores_at(5, 7) == expected.scores_at(5, 7)


def test_two_models_answer_side_by_side_and_one_twice_once(offers):
    found = answers(offers, ['toy', 'toy-resnet'], PHOTO, PHOTO.words, False)
    assert [one.model for one in found] == ['toy', 'toy-resnet']
    assert (found[0].found.labels != found[1].found.labels).any()
    assert len(answers(offers, ['toy', 'toy'], PHOTO, PHOTO.words, False)) == 1


def test_the_rest_becomes_a_class_when_asked_for(offers):
    (one,) = answers(offers, ['toy'], PHOTO, 'star; boat', True)
    assert one.found.classes == ('star', 'boat', 'background')


def test_no_photo_is_told(offers):
    with pytest.raises(ValueError, match='there is no photo. Choose a file'):
        answers(offers, ['toy'], None, 'star', False)


def test_a_name_of_a_file_is_a_class_and_no_list_is_read(offers, tmp_path):
    (tmp_path / 'secret.txt').write_text('star\nboat\n')
    (one,) = answers(offers, ['toy'], PHOTO, str(tmp_path / 'secret.txt'), False)
    assert one.found.classes == (str(tmp_path / 'secret.txt'), 'background')


def test_files_hold_the_labels_exactly(panel, expected):
    files = files_of(panel, PHOTO)
    endings = ('.png', '_overlay.png', '_coco.json')
    assert list(files) == [f'example_1_toy{ending}' for ending in endings]
    labels, overlay, coco = files.values()
    assert (np.asarray(Image.open(io.BytesIO(labels))) == expected.labels).all()
    assert Image.open(io.BytesIO(overlay)).size == expected.overlay().size
    data = json.loads(coco)
    assert data['info']['image_folder'] == '.'
    assert [row['file_name'] for row in data['images']] == [PHOTO.name]
    assert tempfile.gettempdir() not in coco.decode()
    assert [row['name'] for row in data['categories']] == list(expected.classes)
    assert len(data['annotations']) == len(np.unique(expected.labels))
    for row in data['annotations']:
        mask = codes.decode(row['segmentation'])
        assert (mask == (expected.labels == row['category_id'] - 1)).all()
