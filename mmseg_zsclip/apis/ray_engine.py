"""Photos segmented by workers of Ray Data, on this machine or on a cluster."""

import json
import logging
import os
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..annotations.writers import OF_TASK, Photo, Writer
from ..engine.progress import ProgressBar
from .segment_photos import Job, Outcome, remove_partial, write_missing

MOST = 3  # times that a photo is begun: one that ends every worker would go on for ever


class RayEngine:
    """An engine of `segment_photos`: batches of photos go to workers, each with a model of its own.

    A worker that is killed is started again, and its batch goes to another meanwhile: what of it
    was written stays, so that at most that batch is segmented twice, which is counted. The cluster
    is that of `RAY_ADDRESS`, or of a `ray start` on this machine, else one of this machine's cores
    for the time of the call. Its machines need this package, and the photos, the folder of
    results and the files of the options under the same paths.

    Args:
        make_job: called by every worker; can be pickled.
        workers: how many.

    Raises:
        ImportError: Ray Data is not installed; says how to install it.
        ValueError: no worker.
    """

    def __init__(self, make_job: Callable[[], Job], workers: int = 2) -> None:
        try:
            import ray.data
        except ImportError as error:
            raise ImportError(
                f'the engine ray needs Ray Data ({error}): pip install "mmseg_zsclip[ray]"'
            ) from error
        if workers < 1:
            raise ValueError(f'workers is {workers}; legal values: a whole number from 1 on.')
        self.ray, self.make_job, self.workers = ray, make_job, workers

    def __call__(
        self, photos: Sequence[Photo], writers: Sequence[Writer], job: Job, outcome: Outcome
    ) -> None:
        lacking = [photo for photo in photos if any(writer.missing(photo) for writer in writers)]
        maps, ours = writers[-1], not self.ray.is_initialized()
        todo = [photo for photo in lacking if maps.missing(photo)]
        if not lacking:
            return
        if ours:
            self.ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        try:
            self._run(lacking, maps.out, job, outcome)
        finally:
            if ours:
                self.ray.shutdown()
            remove_partial(maps.out)
            # A worker may end between the last file of a batch and its report.
            outcome.segmented = sum(not maps.missing(photo) for photo in todo)

    def _run(self, photos: Sequence[Photo], out: Path, job: Job, outcome: Outcome) -> None:
        ray, bar = self.ray, ProgressBar('photos', len(photos))
        begun = ray.remote(num_cpus=0)(Begun).remote()
        done = (
            ray.data.from_items(
                [photo._asdict() for photo in photos],
                override_num_blocks=min(-(-len(photos) // job.batch), 1000),
            )
            .map_batches(
                Worker,
                fn_constructor_args=(self.make_job, out, os.getcwd(), begun),
                batch_size=job.batch,
                compute=ray.data.ActorPoolStrategy(size=self.workers),
                **self._share(),
            )
            .iter_rows()
        )
        self._take(done, bar, outcome)
        outcome.repeated = ray.get(begun.repeated.remote())
        bar.close(f'{outcome.repeated} begun again')

    def _take(self, done: Iterable[dict], bar: ProgressBar, outcome: Outcome) -> None:
        count = 0
        for row in done:
            if row['error']:
                raise pickle.loads(row['error'])
            count += row['photos']
            outcome.model_seconds += row['seconds'] / self.workers
            outcome.failed |= json.loads(row['failed'])
            bar.update(count)

    def _share(self) -> dict[str, float]:
        """Of the cluster, for a worker; a machine of one core has room for all too."""
        found = self.ray.cluster_resources()
        cpus, gpus = (found.get(name, 0) / self.workers for name in ('CPU', 'GPU'))
        return dict(num_cpus=min(0.9 * cpus, 1), num_gpus=min(gpus, 1))


class Begun:
    """How often each photo was begun, by any worker."""

    def __init__(self) -> None:
        self.times = Counter()

    def note(self, paths: Sequence[str]) -> list[int]:
        """Times that each was begun before."""
        before = [self.times[path] for path in paths]
        self.times.update(paths)
        return before

    def repeated(self) -> int:
        return sum(times - 1 for times in self.times.values())


class Worker:
    """Segments batches of photos and writes their files, but those of all photos.

    Args:
        make_job: see `RayEngine`.
        out: folder of the results.
        folder: in which the command was called.
        begun: the actor of a `Begun`.
    """

    def __init__(self, make_job: Callable[[], Job], out: Path, folder: str, begun) -> None:
        os.chdir(folder)
        self.job, self.begun = make_job(), begun
        of_task = OF_TASK[self.job.task]
        own = [name for name in self.job.formats if of_task[name].place is not Writer.place]
        self.job.formats = own
        self.writers = self.job.writers(out)

    def __call__(self, rows: dict) -> dict:
        """Columns `path`, `name` and `number` -> one row of what was done."""
        import ray

        columns = (rows[field].tolist() for field in Photo._fields)
        photos = [Photo(*values) for values in zip(*columns, strict=True)]
        todo = [photo.path for photo in photos if self.writers[-1].missing(photo)]
        before = ray.get(self.begun.note.remote(todo))
        outcome = Outcome()
        for path, times in zip(todo, before, strict=True):
            if times >= MOST:
                outcome.failed[path] = (
                    f'{times} workers ended while they had it: out of memory? Try a smaller '
                    '--batch, fewer --workers, or that photo alone.'
                )
        kept = [photo for photo in photos if photo.path not in outcome.failed]
        raised = b''
        try:
            write_missing(kept, self.writers, self.job, outcome)
        except Exception as error:  # noqa: BLE001  Ray would put its own words around it
            raised = pickle.dumps(error)
        return dict(
            photos=[len(photos)],
            seconds=[outcome.model_seconds],
            failed=[json.dumps(outcome.failed)],
            error=[raised],
        )
