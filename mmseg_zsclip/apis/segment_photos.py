"""Any number of photos to a folder of label maps and annotations; a run that was killed goes on."""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np

from ..annotations.polygons import regions
from ..annotations.writers import WRITERS, Photo, PNGWriter, Writer
from ..datasets.base import distinct_colours
from ..datasets.output_names import names_of_photos, numbered
from ..datasets.photo_pixels import photo_pixels
from ..engine.folder_lock import LOCK_FILE, in_use
from ..engine.progress import ProgressBar
from ..files import write_json
from .segmenter import ZeroShotSegmenter, batches
from .words import Classes

RUN_FILE = 'run.json'
THREADS = 4  # that read, and as many that write


@dataclass
class Outcome:
    """What a run did.

    Args:
        segmented: photos, in this run.
        failed: path -> why it could not be read.
        model_seconds: in the model alone; of several workers, at a time.
        seconds: from the first photo to the last file.
        repeated: photos that were begun again, as a worker ended before it wrote them.
    """

    segmented: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    model_seconds: float = 0.0
    seconds: float = 0.0
    repeated: int = 0


@dataclass
class Job:
    """What is asked of every photo.

    Args:
        segment: photos (H, W, 3) uint8, RGB -> a label map (H, W) integers for each; those
            outside `0..C-1` are of no class.
        classes: C names.
        palette: C RGB rows, 0-255.
        settings: all that the label maps depend on, for JSON.
        formats: of `annotations.FORMATS`; png is always written, as a later run goes on from it.
        batch: photos that the model gets at a time; as many are read ahead.
    """

    segment: Callable[[list[np.ndarray]], Sequence[np.ndarray]]
    classes: Sequence[str]
    palette: Sequence[Sequence[int]]
    settings: dict
    formats: Sequence[str] = ('png',)
    batch: int = 4

    def writers(self, out: Path) -> list[Writer]:
        """Those of the formats; the label maps come last, which say that a photo is done."""
        unknown = [name for name in self.formats if name not in WRITERS]
        if unknown:
            raise ValueError(f'unknown formats {unknown}; legal: {", ".join(WRITERS)}.')
        names = [*dict.fromkeys(name for name in self.formats if name != 'png'), 'png']
        return [WRITERS[name](out, self.classes, self.palette) for name in names]


def zero_shot_job(
    segmenter: ZeroShotSegmenter,
    classes: Classes | None = None,
    background: bool | None = None,
    threshold: float = 0.0,
    formats: Sequence[str] = ('png',),
) -> Job:
    """What `segmenter` says of photos; its batch is the job's.

    Args:
        classes, background, threshold: see `ZeroShotSegmenter.__call__`.
    """
    tasks = ('semantic',)
    segmenter.check_call(threshold, tasks)
    prompts = segmenter.prompts(classes, background)
    view = segmenter.view(prompts)  # the words are embedded before the time is taken

    def segment(photos: list[np.ndarray]) -> list[np.ndarray]:
        found = segmenter.segmented(photos, view, prompts, threshold, tasks)
        return [one.labels.astype(np.int32) for one in found]

    return Job(
        segment,
        prompts.names,
        distinct_colours(len(prompts.names)),
        dict(texts=prompts.texts, threshold=threshold),
        formats,
        segmenter.batch_size,
    )


def in_this_process(
    photos: Sequence[Photo], writers: Sequence[Writer], job: Job, outcome: Outcome
) -> None:
    """The engine of one machine: reads ahead, and writes while the model sees the next photos."""
    bar = ProgressBar('photos', len(photos))
    write_missing(photos, writers, job, outcome, bar.update)
    bar.close(f'{outcome.segmented} segmented')


def segment_photos(
    paths: Sequence[str],
    out: str | os.PathLike,
    job: Job,
    engine: Callable[[Sequence[Photo], Sequence[Writer], Job, Outcome], None] = in_this_process,
) -> Outcome:
    """Writes the label map and the annotations of every photo into `out`, which is made.

    Killed at any time, it goes on where it was: a photo whose label map is there is done, and no
    other file is there in part. Another run may add photos and formats. The files of all photos
    (`coco.json`, `cvat.zip`) are made at the end, of all that `out` knows.

    Args:
        paths: absolute, each once. One that cannot be read is passed over, and named in the
            outcome.
        engine: writes what is missing of photos, the label map of each last, and counts.

    Raises:
        ValueError: unknown formats; what `out` holds was made by other settings; names of classes
            that a format cannot hold.
        RunError: another run uses `out`.
        WriteError: a full disk, a closed folder.
    """
    out = Path(out).absolute()
    with results_folder(out):
        return _segmented(paths, out, job, engine)


@contextmanager
def results_folder(out: Path) -> Iterator[None]:
    """Keeps other runs out of `out`, which is made; what a killed run left in part is gone first,
    and the lock's file at the end.

    Raises:
        RunError: another run uses `out`.
    """
    with in_use(out):
        try:
            remove_partial(out)
            yield
        finally:
            (out / LOCK_FILE).unlink()


def remove_partial(out: Path) -> None:
    """What a run or a worker that was killed left."""
    for left in out.rglob('.*.partial'):
        left.unlink()


def _segmented(paths: Sequence[str], out: Path, job: Job, engine: Callable) -> Outcome:
    writers = job.writers(out)
    photos, asked = noted(paths, out, job), set(paths)
    outcome, start = Outcome(), time.perf_counter()
    engine([photo for photo in photos if photo.path in asked], writers, job, outcome)
    labelled = [photo for photo in photos if not writers[-1].missing(photo)]
    for writer in writers if labelled else ():
        writer.finish(labelled, writers[-1].read)
    outcome.seconds = time.perf_counter() - start
    return outcome


def noted(paths: Sequence[str], out: Path, job: Job) -> list[Photo]:
    """All photos that `out` knows, these among them, each with a name and a number that stay.

    Raises:
        ValueError: `out` was made by other settings.
    """
    path = out / RUN_FILE
    run = dict(job.settings, classes=list(job.classes), palette=[list(row) for row in job.palette])
    run = json.loads(json.dumps(run, default=lambda value: value.tolist()))
    known = {}
    if path.exists():
        before = json.loads(path.read_text(encoding='utf-8'))
        known = before.pop('photos')
        for key in run:
            if run[key] != before.get(key):
                raise ValueError(
                    f'{out} holds the results of another run: {key} was {before.get(key)!r} and '
                    f'is {run[key]!r}. Take another --out, or remove that folder.'
                )
    new = [one for one in paths if one not in known]
    if new:
        fresh = names_of_photos([(None, [*known, *new])])
        known = numbered(known | {one: fresh[one] for one in new})
        write_json(path, dict(run, photos=known))
    return [Photo(one, name, i) for i, (one, name) in enumerate(known.items(), 1)]


def write_missing(
    photos: Sequence[Photo],
    writers: Sequence[Writer],
    job: Job,
    outcome: Outcome,
    told: Callable[[int], None] = lambda count: None,
) -> None:
    """Segments photos without a label map; of the others, writes the formats that they lack.

    Args:
        told: gets the number of photos that are done.
    """
    maps = writers[-1]
    todo = [photo for photo in photos if maps.missing(photo)]
    count = len(photos) - len(todo)
    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as pens:
        writing = deque()
        for photo in photos:
            lacking = [writer for writer in writers if writer.missing(photo)]
            if lacking and maps not in lacking:
                writing.append(pens.submit(_write_again, photo, lacking, maps))
                _wait(writing, job.batch)
        for batch in batches(_read_ahead(todo, readers, job.batch), job.batch):
            read = []
            for photo, pixels in batch:
                if isinstance(pixels, Exception):
                    outcome.failed[photo.path] = str(pixels)
                else:
                    read.append((photo, pixels))
            start = time.perf_counter()
            found = job.segment([pixels for _, pixels in read]) if read else []
            outcome.model_seconds += time.perf_counter() - start
            outcome.segmented += len(read)
            for (photo, _), labels in zip(read, found, strict=True):
                writing.append(pens.submit(_write, photo, writers, labels))
            _wait(writing, job.batch)
            count += len(batch)
            told(count)
        _wait(writing, 0)


def _read_ahead(
    photos: Sequence[Photo], readers: ThreadPoolExecutor, ahead: int
) -> Iterator[tuple[Photo, np.ndarray | Exception]]:
    """Photos and their pixels, or why there are none; `ahead` are read beyond the one given."""
    reading = deque()
    for photo in photos:
        reading.append((photo, readers.submit(_read, photo)))
        if len(reading) > ahead:
            first, pixels = reading.popleft()
            yield first, pixels.result()
    for first, pixels in reading:
        yield first, pixels.result()


def _read(photo: Photo) -> np.ndarray | Exception:
    try:
        return photo_pixels(photo.path)[..., ::-1]
    except (OSError, ValueError) as error:
        return error


def _write(photo: Photo, writers: Sequence[Writer], labels: np.ndarray) -> None:
    shapes = cache(partial(regions, labels, len(writers[0].classes)))
    for writer in writers:
        writer.write(photo, labels, shapes)


def _write_again(photo: Photo, writers: Sequence[Writer], maps: PNGWriter) -> None:
    _write(photo, writers, maps.read(photo))


def _wait(writing: deque[Future], most: int) -> None:
    """Until at most so many are left; their errors are raised."""
    while len(writing) > most:
        writing.popleft().result()
