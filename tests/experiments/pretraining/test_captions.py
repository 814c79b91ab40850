import numpy as np
import pytest

from mmseg_zsclip.experiments.pretraining.captions import (
    ABSENT,
    DOUBTFUL,
    FREQUENT,
    PRESENT,
    CaptionWriter,
    Presence,
    enumerate_names,
    truth,
)

CLASSES = ['road, street', 'car', 'tree', 'pole']


def test_tags_follow_the_pixel_shares():
    counts = np.array([[50, 3, 2, 0], [0, 2, 1, 97]])
    tags = Presence(0.03, 0.01, {2: 0.02}).tags(counts, np.array([100, 100]))
    assert tags.tolist() == [
        [PRESENT, PRESENT, PRESENT, ABSENT],
        [ABSENT, DOUBTFUL, DOUBTFUL, PRESENT],
    ]


def test_thresholds_in_the_wrong_order_are_an_error():
    with pytest.raises(
        ValueError, match=r'present from a share of 0.001 and doubtful from 0.004; legal'
    ):
        Presence(present=0.001)


@pytest.mark.parametrize(
    ('template', 'names', 'sentence'),
    [
        ('a photo of a {}.', ['car'], 'a photo of a car.'),
        ('a photo of a {}.', ['road', 'car', 'tree'], 'a photo of a road, a car and a tree.'),
        ('the {}', ['road', 'car'], 'the road and the car'),
        ('{}', ['road', 'car'], 'road and car'),
    ],
)
def test_several_names_share_one_sentence(template, names, sentence):
    assert enumerate_names(template, names) == sentence


def test_captions_are_true_of_the_label_maps_they_were_written_from():
    rng = np.random.default_rng(0)
    tags = rng.choice([PRESENT, ABSENT, DOUBTFUL], size=(16, 4)).astype(np.int8)
    captions = CaptionWriter(CLASSES, composed=64, wrong=32).write(tags, rng)
    answer = truth(captions.mentions, tags)
    assert len(set(captions.texts)) == len(captions.texts)
    for k, mention in enumerate(captions.mentions):
        words = captions.texts[k].replace(',', '').replace('.', '').split()
        named = {c for c, names in enumerate(CLASSES) for n in names.split(', ') if n in words}
        assert named == set(np.flatnonzero(mention))
        for i, tag in enumerate(tags):
            states = {int(tag[c]) for c in named}
            expected = ABSENT if ABSENT in states else DOUBTFUL if DOUBTFUL in states else PRESENT
            assert answer[i, k] == expected


def test_every_class_has_a_caption_of_its_own_and_the_frequent_template_is_frequent():
    rng = np.random.default_rng(1)
    writer = CaptionWriter(CLASSES, composed=0, wrong=0)
    seen = []
    for _ in range(50):
        captions = writer.write(np.zeros((2, 4), np.int8), rng)
        seen += captions.texts
        for c, k in enumerate(captions.single):
            assert captions.mentions[k].tolist() == [i == c for i in range(4)]
    frequent = {enumerate_names(FREQUENT, [n]) for entry in CLASSES for n in entry.split(', ')}
    assert 0.35 < np.mean([text in frequent for text in seen]) < 0.7


def test_wrong_captions_name_an_absent_class():
    rng = np.random.default_rng(2)
    tags = np.array([[PRESENT, PRESENT, ABSENT, DOUBTFUL]], np.int8)
    captions = CaptionWriter(CLASSES, singles=1, composed=0, wrong=20).write(tags, rng)
    several = captions.mentions.sum(1) > 1
    assert several.any()
    assert (truth(captions.mentions[several], tags) == ABSENT).all()
    assert not captions.mentions[several][:, 3].any()


def test_a_template_without_a_place_for_the_name_is_an_error():
    with pytest.raises(ValueError, match=r"\['a photo'\] do not hold exactly one"):
        CaptionWriter(CLASSES, ['a photo'])
