"""Average precision of instances that were kept image by image."""

import numpy as np
import pytest

from mmseg_zsclip.evaluation.matches import InstanceMatches, average_precision


def matches(hits, classes=('car', 'owl', 'sky'), novel=(False, True, False)):
    """Two images with a car and an owl each; hits (2, 2) of images and classes, by falling score,
    and a false car in the second image that is surer than all."""
    image, label = np.divmod(np.arange(4), 2)
    return InstanceMatches(
        np.append(image, 1),
        np.append(label, 0),
        np.append(np.linspace(0.8, 0.2, 4), 0.9),
        np.append(np.array(hits, dtype=bool).flatten(), False),
        np.array([[1, 1, 0], [1, 1, 0]]),
        np.array(classes),
        np.array(novel),
    )


@pytest.mark.parametrize(
    ('hit', 'total', 'expected'),
    [
        ([1, 1], 2, 1),
        ([1, 0], 2, 51 / 101),  # recalls 0 to 0.5
        ([0, 1], 1, 1 / 2),
        ([0, 1, 1], 2, 2 / 3),  # the later, better precision holds for all recalls below
        ([], 3, 0),
    ],
)
def test_precision_is_the_best_at_a_recall_or_above(hit, total, expected):
    times = np.ones(len(hit), dtype=int)
    assert average_precision(times, np.array(hit, dtype=bool), total) == pytest.approx(expected)


def test_a_class_without_instances_has_none():
    assert np.isnan(average_precision(np.ones(1, dtype=int), np.zeros(1, dtype=bool), 0))


def test_means_are_over_classes_that_are_there():
    one = matches([[1, 1], [1, 1]])
    assert one.scores == pytest.approx(
        {'AP50': 100 * (2 / 3 + 1) / 2, 'AP50(base)': 100 * 2 / 3, 'AP50(novel)': 100}
    )
    assert set(matches([[1, 1], [1, 1]], novel=()).scores) == {'AP50'}


def test_an_image_drawn_twice_counts_twice():
    one = matches([[1, 1], [0, 1]])
    drawn = {scores['AP50(base)'] for scores in one.resampled_scores(50)}
    # the second image twice, both, or the first twice
    assert sorted(drawn) == pytest.approx([0, one.scores['AP50(base)'], 100])
    assert 0 < one.scores['AP50(base)'] < 100


def test_the_same_images_have_the_same_instances_of_shared_classes():
    one, other = matches([[1, 1], [1, 1]]), matches([[0, 0], [0, 0]])
    assert one.same_images(other)
    assert not one.same_images(matches([[1, 1], [1, 1]], classes=('cat', 'dog', 'ox')))
    fewer = InstanceMatches(
        *(np.zeros(0),) * 4, np.array([[1], [2]]), np.array(['owl']), np.array([True])
    )
    assert not one.same_images(fewer)
