"""Things and stuff, by name."""

import pytest

from mmseg_zsclip.vocabulary.thing_names import load_things, thing_classes


def test_things_are_known_by_any_name_whatever_its_case():
    names = load_things(['Kitten', 'car'], ['cat, kitten', 'road', 'car'])
    assert thing_classes(names, ['road', 'car', 'cat, kitten']) == [1, 2]
    assert thing_classes(names, ['zebra']) == []
    assert thing_classes(None, ['zebra']) == [0]
    assert load_things([], ['car']) == set()


def test_a_thing_that_is_no_class_is_named():
    with pytest.raises(ValueError, match="'zebra' of the things is none of the 2 classes"):
        load_things(['zebra'], ['car', 'road'])
