"""Captions are true of their scene, and say what is there, never where."""

import numpy as np
import pytest

from mmseg_zsclip.experiments.pretraining.toy_captions import (
    HELD_OUT_TEMPLATES,
    KINDS,
    SHADES,
    TRAINED_TEMPLATES,
    build_concepts,
    describe,
    fine_labels,
)
from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.palette import NAMES


@pytest.fixture(scope='module')
def concepts():
    return build_concepts()


def test_concepts_hold_classes_colours_and_kinds(concepts):
    assert concepts.membership.shape == (len(concepts.entries), 20 * SHADES)
    assert len(concepts.entries) == 20 + 14 * len(NAMES) + len(KINDS)
    car = World().classes.index('car')
    vehicle, red = (
        concepts.entries.index('vehicle'),
        concepts.entries.index('red car, red automobile'),
    )
    assert {vehicle, red} <= set(concepts.variants[car])
    assert concepts.membership[red].sum() == 1
    assert concepts.membership[vehicle].sum() == 2 * SHADES
    assert np.array_equal(concepts.membership[:20].sum(0), np.ones(20 * SHADES))


def test_fine_labels_keep_class_and_colour():
    scene = World().scene('train', 1)
    fine = fine_labels(scene)
    assert np.array_equal(fine // SHADES, scene.semantic)
    for number, thing in enumerate(scene.things, 1):
        assert set(fine[scene.instance == number] % SHADES) == {1 + NAMES.index(thing.colour)}
    assert set(np.unique(fine[scene.instance == 0] % SHADES)) == {0}


def test_sentences_name_only_what_the_scene_shows():
    rng = np.random.default_rng(0)
    world, concepts = World(), build_concepts()
    names = [name.strip() for entry in concepts.entries for name in entry.split(',')]
    owner = [k for k, entry in enumerate(concepts.entries) for _ in entry.split(',')]
    for index in range(25):
        scene = world.scene('val', index)
        shown = concepts.membership @ np.bincount(
            fine_labels(scene).ravel(), minlength=concepts.membership.shape[1]
        )
        sentences = describe(scene, rng, 4)
        assert len(sentences) == 4
        for sentence in sentences:
            words = f' {sentence.replace(",", " ").replace(".", " ")} '
            found = [k for name, k in zip(names, owner, strict=True) if f' {name} ' in words]
            assert found
            assert all(shown[k] > 0 for k in found), sentence


def test_held_out_templates_were_not_trained():
    assert not set(HELD_OUT_TEMPLATES) & set(TRAINED_TEMPLATES)
    assert len(HELD_OUT_TEMPLATES) > 30
