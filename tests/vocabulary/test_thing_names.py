"""Things and stuff, by name."""

import pytest

from mmseg_zsclip.vocabulary.class_names import canonical
from mmseg_zsclip.vocabulary.lists import load_classes
from mmseg_zsclip.vocabulary.thing_names import load_things, thing_classes


def test_things_are_known_by_any_name_whatever_its_case():
    names = load_things(['Kitten', 'car'], ['cat, kitten', 'road', 'car'])
    assert thing_classes(names, ['road', 'car', 'cat, kitten']) == [1, 2]
    assert thing_classes(names, ['zebra']) == []
    assert thing_classes(None, ['zebra']) == [0]
    assert load_things([], ['car']) == set()


def test_a_synonym_of_stuff_does_not_make_it_a_thing():
    """ADE20K has a thing "screen" and the stuff "blind, screen", a "counter" and a "buffet"."""
    classes, things = load_classes('ade150_words'), load_classes('ade_things')
    found = thing_classes(load_things(things, classes), classes)
    assert [canonical(classes[i]) for i in found] == things
    assert canonical(classes[63]) == 'blind'
    assert 63 not in found


def test_coco_s_things_are_its_first_80_classes():
    classes = load_classes('coco_panoptic133')
    assert thing_classes(load_things('coco_things', classes), classes) == list(range(80))


def test_a_thing_that_is_no_class_is_named():
    with pytest.raises(ValueError, match="'zebra' of the things is none of the 2 classes"):
        load_things(['zebra'], ['car', 'road'])
