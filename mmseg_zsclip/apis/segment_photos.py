"""Any number of photos to a folder of label maps and annotations; a run that was killed goes on."""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ..annotations import FORMATS
from ..annotations.found import Found, Instances, Labels, Object, Segments, encoded
from ..annotations.writers import KEEPERS, OF_TASK, Photo, Writer
from ..datasets.base import distinct_colours
from ..datasets.listing import RUN_FILE
from ..datasets.output_names import names_of_photos, numbered
from ..datasets.photo_pixels import photo_pixels
from ..engine.folder_lock import LOCK_FILE, in_use
from ..engine.progress import ProgressBar
from ..files import write_json
from ..models.vocabulary import OpenVocabulary, shallow_copy
from ..vocabulary.labels import OFFSET
from .segmentation import Instance
from .segmenter import ZeroShotSegmenter, batches
from .words import Classes, Prompts

LEAST = dict(semantic=0.0, instance=0.3)  # threshold; of panoptic segments that of the config
THREADS = 4  # that read, and as many that write


@dataclass
class Outcome:
    """What a run did.

    Args:
        segmented: photos, in this run.
        failed: path -> why it could not be read.
        model_seconds: of these photos, in the model alone; of several workers, at a time.
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
        segment: photos (H, W, 3) uint8, RGB -> for each a label map (H, W) integers, of which those
            outside `0..C-1` are of no class, or what `found` takes.
        classes: C names.
        palette: C RGB rows, 0-255.
        settings: all that the results depend on, for JSON.
        formats: of `annotations.FORMATS`; png is always written.
        batch: photos that the model gets at a time; as many are read ahead.
        task: of `vocabulary.labels.TASKS`.
        things: the classes of which each thing is an object.
        found: makes what the writers take of what `segment` gave; of a label map if left out.
    """

    segment: Callable[[list[np.ndarray]], Sequence]
    classes: Sequence[str]
    palette: Sequence[Sequence[int]]
    settings: dict
    formats: Sequence[str] = ('png',)
    batch: int = 4
    task: str = 'semantic'
    things: Sequence[int] = ()
    found: Callable[..., Found] | None = None

    def writers(self, out: Path) -> list[Writer]:
        """Those of the formats; the last writes all that was found of a photo, from which a later
        run goes on: its file says that the photo is done."""
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown:
            raise ValueError(f'unknown formats {unknown}; legal: {", ".join(FORMATS)}.')
        keeper = KEEPERS[self.task]
        names = dict.fromkeys(name for name in [*self.formats, 'png'] if name != keeper)
        return [
            OF_TASK[self.task][name](out, self.classes, self.palette, self.things)
            for name in [*names, keeper]
        ]

    def found_in(self, answer) -> Found:
        return self.found(answer) if self.found else Labels(answer, len(self.classes))


def zero_shot_job(
    segmenter: ZeroShotSegmenter,
    classes: Classes | None = None,
    background: bool | None = None,
    threshold: float | None = None,
    formats: Sequence[str] = ('png',),
    task: str = 'semantic',
    things: str | Sequence[str] | None = None,
) -> Job:
    """What `segmenter` says of photos; its batch is the job's.

    Args:
        classes, background, things: see `ZeroShotSegmenter.__call__`.
        threshold: the least probability of a pixel's class, or score of an instance; if left out
            as `LEAST` says. Of a panoptic segment that of the model's config, if left out.
        task: what is written of the photos, of `segmenter.tasks`.

    Raises:
        ValueError: see `ZeroShotSegmenter.__call__`; a task that the model does not have; things
            of a task without; things were asked for, and no class is one.
    """
    segmenter.check_call(0.0 if threshold is None else threshold, (task,))
    threshold = LEAST.get(task) if threshold is None else threshold
    prompts = segmenter.prompts(classes, background)
    view = segmenter.view(prompts, things)  # the words are embedded before the time is taken
    settings = dict(task=task, texts=prompts.texts, threshold=threshold)
    counted = counted_classes(task, things, prompts, view)
    if task != 'semantic':
        settings['things'] = [prompts.names[i] for i in counted]
    if task == 'panoptic' and threshold is not None:
        view = shallow_copy(view)  # others may use the one that the segmenter keeps
        view.test_cfg = copy(view.test_cfg)
        view.test_cfg['score_threshold'] = threshold

    def segment(photos: list[np.ndarray]) -> list:
        least = threshold if task == 'semantic' else 0.0
        found = segmenter.segmented(photos, view, prompts, least, (task,))
        if task == 'semantic':
            return [one.labels.astype(np.int32) for one in found]
        return [(one.instances, one.panoptic, one.labels.shape) for one in found]

    return Job(
        segment,
        prompts.names,
        distinct_colours(len(prompts.names)),
        settings,
        formats,
        segmenter.batch_size,
        task,
        counted,
        None if task == 'semantic' else partial(found_of, len(prompts.names), threshold),
    )


def counted_classes(
    task: str, things: str | Sequence[str] | None, prompts: Prompts, view: OpenVocabulary
) -> list[int]:
    """The classes of which each thing is an object.

    Raises:
        ValueError: see `zero_shot_job`.
    """
    if task == 'semantic':
        if things is not None:
            raise ValueError(
                f'things is {things!r}, but label maps (task semantic) tell none apart. Leave it '
                'out, or ask for the task instance or panoptic.'
            )
        return []
    counted = sorted({prompts.owner[text] for text in view.things})
    if task == 'instance' and not counted:
        whose = "this model's config" if things is None else f'things={things!r}'
        raise ValueError(
            f'none of the {len(prompts.names)} classes ({", ".join(prompts.names[:5])}, ...) is a '
            f'thing by {whose}, so there are no instances. Name some (--things).'
        )
    return counted


def found_of(
    num_classes: int,
    threshold: float,
    answer: tuple[Sequence[Instance] | None, np.ndarray | None, tuple[int, int]],
) -> Found:
    """The objects of a photo: of its instances those that are sure enough, or its panoptic ids; and
    its size."""
    instances, ids, size = answer
    if instances is None:
        return Segments(np.where(ids % OFFSET < num_classes, ids + 1, 0))
    sure = [one for one in instances if one.score >= threshold]
    return Instances(
        [Object(i, one.label, encoded(one.mask), one.score) for i, one in enumerate(sure, 1)], size
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
    """Writes what was found in every photo into `out`, which is made.

    Killed at any time, it goes on where it was: a photo whose label map (of instances: whose file
    of objects) is there is done, and no other file is there in part. Another run may add photos and
    formats. The files of all photos (`coco.json`, `cvat.zip`) are made at the end, of all that
    `out` knows.

    Args:
        paths: absolute, each once. One that cannot be read is passed over, and named in the
            outcome.
        engine: writes what is missing of photos, by the last of the writers at last, and counts.

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
        before = dict(task='semantic') | json.loads(path.read_text(encoding='utf-8'))
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
    """Segments photos that are not done; of the others, writes the formats that they lack.

    Args:
        told: gets the number of photos that are done.
    """
    maps = writers[-1]
    missing = {photo for photo in photos if maps.missing(photo)}
    # Whole batches again: the last digits of a score depend on what goes through the model beside.
    again = (some for some in batches(photos, job.batch) if not missing.isdisjoint(some))
    todo = [photo for some in again for photo in some]
    count = len(photos) - len(missing)
    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as pens:
        writing = deque()
        for photo in photos:
            lacking = [writer for writer in writers if writer.missing(photo)]
            if lacking and photo not in missing:
                writing.append(pens.submit(_write, photo, lacking, maps.read, photo))
                _wait(writing, job.batch)
        for batch in batches(_read_ahead(todo, readers, job.batch), job.batch):
            read = []
            for photo, pixels in batch:
                if not isinstance(pixels, Exception):
                    read.append((photo, pixels))
                elif photo in missing:
                    outcome.failed[photo.path] = str(pixels)
            new = sum(photo in missing for photo, _ in read)
            read = read if new else []
            start = time.perf_counter()
            found = job.segment([pixels for _, pixels in read]) if new else []
            outcome.model_seconds += (time.perf_counter() - start) * new / (len(read) or 1)
            for (photo, _), one in zip(read, found, strict=True):
                if photo in missing:
                    writing.append(pens.submit(_write, photo, writers, job.found_in, one))
            outcome.segmented += new
            _wait(writing, job.batch)
            count += sum(photo in missing for photo, _ in batch)
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


def _write(photo: Photo, writers: Sequence[Writer], found_in: Callable[..., Found], of) -> None:
    found = found_in(of)
    for writer in writers:
        writer.write(photo, found)


def _wait(writing: deque[Future], most: int) -> None:
    """Until at most so many are left; their errors are raised."""
    while len(writing) > most:
        writing.popleft().result()
