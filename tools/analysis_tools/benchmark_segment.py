"""The suite of benchmark.py for `zsclip segment`: reading and writing beside the model's own time.

    python tools/analysis_tools/benchmark.py segment --runs 5

One run takes 16 photos, 25 seconds on two cores.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from benchmark_parts import Setup

from mmseg_zsclip.annotations import FORMATS
from mmseg_zsclip.apis import ZeroShotSegmenter
from mmseg_zsclip.apis.segment_photos import segment_photos, zero_shot_job
from mmseg_zsclip.apis.segmenter import batches
from mmseg_zsclip.clip.archs import get_arch
from mmseg_zsclip.clip.checkpoint import save_clip
from mmseg_zsclip.clip.model import CLIP
from mmseg_zsclip.datasets.photo_pixels import photo_pixels

PHOTOS, CLASSES = 16, 20


def random_segmenter(setup: Setup, folder: Path) -> ZeroShotSegmenter:
    weights = folder / 'clip.pt'
    save_clip(CLIP(get_arch(setup.arch)), weights)
    arch = {f'model.{part}.arch': setup.arch for part in ('backbone', 'decode_head.text')}
    return ZeroShotSegmenter(
        'maskclip-vit-b16', weights, setup.device, options=arch, short_side=setup.size
    )


def photos(setup: Setup, folder: Path) -> list[str]:
    """JPEG files of 4 : 3, of blots in random colours."""
    shape = setup.size, setup.size * 4 // 3
    paths = [folder / f'{i}.jpg' for i in range(PHOTOS)]
    for i, path in enumerate(paths):
        blots = np.random.default_rng(i).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(blots, shape[::-1], interpolation=cv2.INTER_CUBIC))
    return [str(path) for path in paths]


def segment(setup: Setup) -> Iterator[dict]:
    """Photos to a folder, in one format and in all, against the model on pixels in memory."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        paths, seg = photos(setup, folder), random_segmenter(setup, folder)
        pixels = [photo_pixels(path) for path in paths]
        runs = count()
        for formats in (('png',), tuple(FORMATS)):
            job = zero_shot_job(seg, [f'class {i}' for i in range(CLASSES)], formats=formats)

            def whole(job=job) -> None:
                segment_photos(paths, folder / f'run{next(runs)}', job)

            def model(job=job) -> None:
                for some in batches(pixels, job.batch):
                    job.segment(some)

            yield dict(
                case=f'zsclip segment, {PHOTOS} photos, {len(formats)} formats, vs the model',
                limit=1 / 0.9,
                **setup.compare(whole, model),
            )
