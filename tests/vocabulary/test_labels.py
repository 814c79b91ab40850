import pytest

from mmseg_zsclip.vocabulary.labels import IGNORE, IGNORE_LARGE, UNLABELLED, ignore_index


@pytest.mark.parametrize(
    ('num_classes', 'value'),
    [(1, 255), (171, 255), (254, 255), (255, 65535), (459, 65535), (847, 65535), (65535, 65535)],
)
def test_ignored_is_never_a_class(num_classes, value):
    assert ignore_index(num_classes) == value >= num_classes


def test_the_states_of_a_pixel_differ():
    assert len({IGNORE, IGNORE_LARGE, UNLABELLED}) == 3
    assert UNLABELLED < 0


@pytest.mark.parametrize('num_classes', [0, -1, 65536])
def test_too_many_classes_for_a_file(num_classes):
    with pytest.raises(ValueError, match=f'cannot hold {num_classes} classes: 1 to 65535'):
        ignore_index(num_classes)
