"""Scenes as photos in memory, and the batches of a pre-training made of them."""

import multiprocessing
import os
from pathlib import Path

import cv2
import numpy as np

from ...engine.progress import ProgressBar
from ...toy.world import World
from .batches import LabelledBatches
from .captions import CaptionWriter, Presence
from .crops import CropSampler
from .photos import Photo
from .toy_captions import SHADES, TRAINED_TEMPLATES, build_concepts, fine_labels

PRESENT, DOUBTFUL = 0.04, 0.006


def draw_photo(job: tuple[World, str, int]) -> Photo:
    """The scene or icon (second entry) of that index of the training split; labels are fine."""
    world, kind, index = job
    scene = getattr(world, kind)('train', index)
    labels = fine_labels(scene).astype(np.int16)
    return Photo(Path(f'{world.name}/{kind}/{index}'), scene.image, labels)


def draw_some(jobs: list[tuple[World, str, int]]) -> list[Photo]:
    cv2.setNumThreads(1)
    return [draw_photo(job) for job in jobs]


def draw_photos(world: World, scenes: int, icons: int) -> list[Photo]:
    """The first `scenes` scenes and `icons` icons of the training split, drawn on all cores."""
    jobs = [(world, 'scene', i) for i in range(scenes)] + [(world, 'icon', i) for i in range(icons)]
    parts = [jobs[i : i + 200] for i in range(0, len(jobs), 200)]
    bar, photos = ProgressBar(f'drawing {len(jobs):,} pictures', len(jobs)), []
    with multiprocessing.get_context('spawn').Pool(min(os.cpu_count(), len(parts))) as pool:
        for some in pool.imap(draw_some, parts):
            photos += some
            bar.update(len(photos))
    bar.close()
    return photos


def scene_batches(
    scenes: int, icons: int, scale: tuple[float, float], strength: float
) -> LabelledBatches:
    """Batches of the world 'toy': crops of scenes and icons, image-level captions and tags."""
    world, concepts = World(), build_concepts()
    count = concepts.membership.shape[1]
    photos = draw_photos(world, scenes, icons)
    crops = CropSampler(photos, count, world.size, scale, groups=np.arange(count) // SHADES)
    writer = CaptionWriter(
        concepts.entries, TRAINED_TEMPLATES, composed=48, wrong=24, variants=concepts.variants
    )
    presence = Presence(PRESENT, DOUBTFUL)
    return LabelledBatches(crops, presence, writer, strength, concepts.membership)
