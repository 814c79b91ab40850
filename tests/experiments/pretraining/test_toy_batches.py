"""Pre-training on scenes: captions with colours and kinds are judged by the labels of the crop."""

import numpy as np

from mmseg_zsclip.experiments.pretraining import toy_batches as scenes
from mmseg_zsclip.experiments.pretraining.captions import ABSENT, PRESENT, CaptionWriter, truth
from mmseg_zsclip.experiments.pretraining.toy_captions import SHADES, build_concepts
from mmseg_zsclip.toy import World


def few_photos(world, count, icons):
    jobs = [(world, 'scene', i) for i in range(count)] + [(world, 'icon', i) for i in range(icons)]
    return scenes.draw_some(jobs)


def test_photos_are_the_same_whatever_the_process(monkeypatch):
    pooled, here = scenes.draw_photos(World(size=32), 2, 1), few_photos(World(size=32), 2, 1)
    for a, b in zip(pooled, here, strict=True):
        assert np.array_equal(a.pixels, b.pixels)
        assert np.array_equal(a.labels, b.labels)


def test_batches_judge_colours_and_kinds(monkeypatch):
    monkeypatch.setattr(scenes, 'draw_photos', few_photos)
    batches = scenes.scene_batches(12, 8, (0.6, 1.6), 0.5)
    rng = np.random.default_rng(0)
    batch = batches.draw(48, 40, rng)
    assert batch.images.shape == (40, 3, 48, 48)
    assert batch.tags.shape == (40, 20)
    assert batch.single.shape == (20,)
    assert batch.target.shape == (40, len(batch.tokens))
    crops = batches.crops.draw(48, 200, rng)
    tags = batches.presence.tags(crops.counts @ batches.membership.T, crops.total)
    narrower = batches.membership[20:] @ batches.membership[:20].T / SHADES
    for row, inside in zip(tags[:, 20:].T, narrower, strict=True):
        owners = tags[:, :20][:, inside > 0]
        assert not ((row == PRESENT) & (owners == ABSENT).all(1)).any()


def test_a_wrong_colour_makes_a_wrong_sentence():
    concepts, rng = build_concepts(), np.random.default_rng(0)
    writer = CaptionWriter(concepts.entries, variants=concepts.variants)
    tags = np.zeros(len(concepts.entries), np.int8)
    red = concepts.entries.index('red car, red automobile')
    tags[[8, red, concepts.entries.index('vehicle')]] = PRESENT
    right = {int(writer.subset(tags, False, rng)[0]) for _ in range(60)}
    wrong = {int(writer.subset(tags, True, rng)[0]) for _ in range(60)}
    assert right == {8, red, concepts.entries.index('vehicle')}
    assert not right & wrong
    assert wrong & set(concepts.variants[8]), 'no caption with a wrong colour in 60 draws'
    mentions = np.zeros((len(wrong), len(tags)), bool)
    mentions[np.arange(len(wrong)), list(wrong)] = True
    assert not truth(mentions, tags[None]).any()
