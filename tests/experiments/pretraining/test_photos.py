import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_zsclip.experiments.pretraining.crops import CropSampler, jitter
from mmseg_zsclip.experiments.pretraining.photos import load_captioned, load_labelled


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def street(tmp_path):
    """`img/a.png` and `b.png`: class 0 left, 1 right, 2 a small square in a, 255 on top."""
    for number, name in enumerate(('a', 'b')):
        labels = np.zeros((60, 80), np.uint8)
        labels[:, 40:] = 1
        labels[:3] = 255
        if number == 0:
            labels[30:36, 10:16] = 2
        save(tmp_path / 'ann' / f'{name}.png', labels)
        save(
            tmp_path / 'img' / f'{name}.png',
            np.repeat(labels[..., None] * 60, 3, 2).astype(np.uint8),
        )
    return tmp_path


def load(root: Path, classes: int = 3, **kwargs):
    return load_labelled(root / 'img', root / 'ann', classes, image_suffix='.png', **kwargs)


def test_photos_come_with_their_label_maps(street):
    photos = load(street)
    assert [photo.path.name for photo in photos] == ['a.png', 'b.png']
    assert photos[0].pixels.shape == (60, 80, 3)
    assert np.unique(photos[0].labels).tolist() == [0, 1, 2, 255]


def test_a_glob_that_matches_nothing_is_an_error(street):
    assert [p.path.name for p in load(street, include=['a*'])] == ['a.png']
    with pytest.raises(
        ValueError, match=r"--include '0001TP\*' matched none of 2 images .* like a.png, b.png"
    ):
        load(street, include=['a*', '0001TP*'])


def test_no_images_are_an_error(street):
    with pytest.raises(ValueError, match='does not exist'):
        load(street / 'nowhere')
    with pytest.raises(ValueError, match=r"ends in '.jpg'; set --image-suffix"):
        load_labelled(street / 'img', street / 'ann', 3)


def test_labels_outside_the_names_are_an_error(street):
    with pytest.raises(ValueError, match=r'a.png holds 2; legal: 0 to 1 \(2 classes\)'):
        load(street, classes=2)


def test_a_missing_or_coloured_or_smaller_label_map_is_an_error(street):
    save(street / 'ann' / 'b.png', np.zeros((30, 40), np.uint8))
    with pytest.raises(ValueError, match='b.png has 40 x 30 pixels, its photo .*b.png 80 x 60'):
        load(street)
    save(street / 'ann' / 'b.png', np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(ValueError, match='Colours must first be converted'):
        load(street)
    (street / 'ann' / 'b.png').unlink()
    with pytest.raises(FileNotFoundError, match='label file .*b.png does not exist'):
        load(street)


def test_an_unreadable_photo_is_an_error(street):
    (street / 'img' / 'b.png').write_bytes(b'not a photo')
    with pytest.raises(ValueError, match='b.png cannot be decoded'):
        load(street)


def test_a_turned_photo_lies_on_its_labels(street):
    exif = Image.Exif()
    exif[0x112] = 6
    photo = Image.open(street / 'img' / 'a.png')
    upright = np.asarray(photo)
    photo.transpose(Image.Transpose.ROTATE_90).save(street / 'img' / 'a.png', exif=exif)
    np.testing.assert_array_equal(load(street)[0].pixels, upright)


def test_255_is_a_class_where_there_are_more(street):
    labels = np.full((60, 80), 255, np.uint16)
    labels[0, 0] = 65535
    save(street / 'ann' / 'a.png', labels)
    assert load(street, classes=300, include=['a*'])[0].labels.max() == 65535
    counts = (
        CropSampler(load(street, classes=300, include=['a*']), 300, 60, (0.5, 1.0))
        .draw(16, 4, np.random.default_rng(0))
        .counts
    )
    assert (counts[:, 255] > 0).all()


def test_zero_labels_can_be_reduced(street):
    photos = load(street, classes=2, reduce_zero=True)
    assert np.unique(photos[0].labels).tolist() == [0, 1, 255]
    assert photos[0].labels[50, 5] == 255


def test_counts_of_a_crop_are_those_of_its_label_map(street):
    photos = load(street)
    sampler = CropSampler(photos, 3, height=60, scale=(0.5, 1.5))
    crops = sampler.draw(16, 64, np.random.default_rng(0))
    assert crops.pixels.shape == (64, 3, 16, 16)
    share = crops.counts / crops.total[:, None]
    red = crops.pixels[:, 0].float()
    shown = [(red < 30), (red - 60).abs() < 30, (red - 120).abs() < 30]
    for c in range(3):
        np.testing.assert_allclose(share[:, c], shown[c].float().mean((1, 2)), atol=0.12)


def test_small_classes_are_cropped_as_often_as_large_ones(street):
    photos = load(street)
    rng = np.random.default_rng(0)
    balanced = CropSampler(photos, 3, 60, (0.5, 1.0), centred=1.0).draw(16, 300, rng)
    plain = CropSampler(photos, 3, 60, (0.5, 1.0), centred=0.0).draw(16, 300, rng)
    assert (balanced.counts[:, 2] > 0).mean() > 0.3 > (plain.counts[:, 2] > 0).mean()


def test_crop_scale_in_the_wrong_order_is_an_error(street):
    with pytest.raises(
        ValueError, match=r'crop scale is \(2.0, 1.0\); legal: 0 < least <= greatest'
    ):
        CropSampler(load(street), 3, 60, (2.0, 1.0))


def test_jitter_depends_on_the_random_numbers_alone():
    pixels = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    first, again = (jitter(pixels, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.isfinite().all()
    assert not torch.equal(first, jitter(pixels, np.random.default_rng(4)))


@pytest.mark.parametrize('kind', ['tsv', 'jsonl'])
def test_captions_can_come_from_a_file(street, kind):
    rows = [('img/a.png', 'a red car'), ('img/b.png', 'a tree'), ('img/a.png', 'a car')]
    path = street / f'pairs.{kind}'
    path.write_text(
        '\n'.join(
            '\t'.join(row) if kind == 'tsv' else json.dumps(dict(image=row[0], caption=row[1]))
            for row in rows
        )
    )
    photos = load_captioned(path)
    assert [photo.captions for photo in photos] == [('a red car', 'a car'), ('a tree',)]
    with pytest.raises(ValueError, match=r'--include z\* matched none of 2 images'):
        load_captioned(path, ['z*'])


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('pairs.csv', 'a,b', "ends in '.csv'; legal: .tsv, .jsonl"),
        ('pairs.tsv', 'img/a.png a car', 'line 1: 1 columns; expected image path, tab, caption'),
        (
            'pairs.jsonl',
            '{"image": "img/a.png"}',
            'line 1: keys are .* expected "image" and "caption"',
        ),
        ('pairs.tsv', '', 'holds no line'),
    ],
)
def test_a_malformed_caption_file_is_an_error(street, name, text, message):
    (street / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        load_captioned(street / name)
