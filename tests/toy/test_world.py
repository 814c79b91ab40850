"""The world is the same everywhere, its truth agrees with itself, and colour tells nothing."""

import numpy as np
import pytest

from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.palette import NAMES
from mmseg_zsclip.toy.stuff import STUFF
from mmseg_zsclip.toy.things import THINGS
from mmseg_zsclip.toy.world import SPLITS, STYLES
from mmseg_zsclip.vocabulary.lists import load_unseen

WORLDS = tuple(STYLES)
COUNT = 40
KNOWN = dict(
    sky=4114, grass=3734, sand=4022, mountain=2262, house=745, flower=512, star=564, person=431
)  # fmt: skip


@pytest.fixture(scope='module', params=WORLDS)
def drawn(request):
    world = World(request.param, 64)
    return world, [world.scene('train', i) for i in range(COUNT)]


def test_same_seed_same_scene(drawn):
    world, scenes = drawn
    again = World(world.name, world.size).scene('train', 3)
    assert np.array_equal(again.image, scenes[3].image)
    assert np.array_equal(again.semantic, scenes[3].semantic)
    assert again.things == scenes[3].things


def test_a_known_scene_is_drawn_as_it_was():
    """What each class covers in one scene, counted once and kept; OpenCV may move an edge."""
    scene = World().scene('test', 0)
    names = World().classes
    labels, areas = np.unique(scene.semantic, return_counts=True)
    assert {names[label]: int(area) for label, area in zip(labels, areas, strict=True)} == (
        pytest.approx(KNOWN, rel=0.02)
    )


def test_splits_worlds_and_kinds_share_no_picture():
    first = [World(name).scene(split, 0).image for name in WORLDS for split in SPLITS]
    first += [World(name).icon(split, 0).image for name in WORLDS for split in SPLITS]
    assert len({image.tobytes() for image in first}) == len(first)


def test_truth_agrees_with_itself(drawn):
    world, scenes = drawn
    for scene in scenes:
        assert scene.image.shape == (64, 64, 3)
        assert scene.image.dtype == np.uint8
        assert scene.semantic.max() < len(world.classes), 'a pixel of a scene has no class'
        assert set(np.unique(scene.instance)) <= set(range(len(scene.things) + 1))
        for number, thing in enumerate(scene.things, 1):
            where = scene.instance == number
            assert where.any(), 'a thing without a pixel is listed'
            assert set(scene.semantic[where]) == {thing.label}
            assert world.classes[thing.label] == thing.name
        stuff = np.unique(scene.semantic[scene.instance == 0])
        assert not any(world.is_thing[label] for label in stuff)


def test_panoptic_segments_tile_the_picture(drawn):
    _, scenes = drawn
    for scene in scenes:
        ids, segments = scene.panoptic()
        assert sum(segment['area'] for segment in segments) == ids.size
        assert sorted(segment['id'] for segment in segments) == sorted(np.unique(ids))
        for segment in segments:
            assert set(scene.semantic[ids == segment['id']]) == {segment['label']}
        grounds = [segment['label'] for segment in segments if not segment['isthing']]
        assert len(set(grounds)) == len(grounds)


def test_every_class_is_drawn(drawn):
    world, _ = drawn
    drawings = {drawing for _, drawing in world.drawings(STUFF | THINGS)}
    assert {label for label, _ in world.drawings(STUFF | THINGS)} == set(range(len(world.classes)))
    assert len(drawings) > len(world.classes) - 2
    found = set()
    for index in range(150):
        found |= set(np.unique(World(world.name, 32).scene('val', index).semantic))
    assert found == set(range(len(world.classes)))


def test_things_and_stuff_are_on_both_sides_of_the_split():
    world = World()
    unseen = set(load_unseen('toy'))
    assert len(world.classes) == 20
    assert len(unseen) == 5
    for side in (unseen, set(world.classes) - unseen):
        kinds = {world.is_thing[world.classes.index(name)] for name in side}
        assert kinds == {True, False}


def test_colour_never_gives_the_class_away():
    """Colours are drawn alike for every class: a classifier that sees only the colour word is at
    chance, and every class occurs in at least seven of ten colours."""
    world = World(size=32)
    pairs = np.zeros((len(world.classes), len(NAMES)))
    for index in range(700):
        for thing in world.scene('train', index).things:
            pairs[thing.label, NAMES.index(thing.colour)] += 1
    things = pairs[np.flatnonzero(world.is_thing)]
    assert (things > 0).sum(1).min() >= 7
    assert things.max(0).sum() / things.sum() < 1.9 / len(things)


def test_icon_is_one_thing_on_one_texture():
    world = World()
    icons = [world.icon('train', i) for i in range(40)]
    assert {len(icon.things) for icon in icons} == {0, 1}
    assert all(len(np.unique(icon.semantic[icon.instance == 0])) == 1 for icon in icons)


def test_larger_pictures_show_the_same_scene():
    small, large = World(size=64).scene('val', 5), World(size=256).scene('val', 5)
    assert [thing.name for thing in small.things] == [thing.name for thing in large.things]
    agree = large.semantic[::4, ::4] == small.semantic
    assert agree.mean() > 0.85


@pytest.mark.parametrize('name', THINGS)
def test_a_thing_stays_in_its_box_and_varies(name):
    draws = [THINGS[name](np.random.default_rng(seed)) for seed in range(30)]
    corners = np.concatenate([part for parts in draws for part, _ in parts])
    assert np.abs(corners).max() < 0.62
    assert all({'body'} <= {role for _, role in parts} for parts in draws)
    assert (
        len({np.concatenate([part.ravel() for part, _ in parts]).tobytes() for parts in draws}) > 20
    )


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: World('cartoon'), "world 'cartoon'; legal: toy, toy_target"),
        (lambda: World(size=16), 'size is 16 pixels; legal: 32 to 512'),
        (lambda: World().scene('training', 0), "split is 'training'; legal: train, val, test"),
        (lambda: World().scene('train', -1), 'index is -1; legal: 0 and above'),
    ],
)
def test_errors_name_the_value_and_the_legal_ones(call, message):
    with pytest.raises(ValueError, match=message):
        call()
