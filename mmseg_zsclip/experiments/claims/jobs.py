"""One measured run: its resolved config, the key of its cached result, and doing it."""

import copy
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

from ...evaluation.areas import read_areas, read_arrays
from ...evaluation.matches import InstanceMatches
from ...evaluation.panoptic_quality import PanopticCounts
from ...files import write_json
from ..provenance import clip_files, machine, source_digest
from .suite import Run, Suite

VERSION = 1  # raise it when cached results of unchanged configs would be wrong
CHECKPOINT_STEPS = 100
TEST_PARTS = ('test_dataloader', 'test_evaluator', 'test_cfg', 'tta_model', 'tta_pipeline')
# What metrics keep of every image: metric, its option for the file, ending of the file, reader.
KEPT = (
    ('ZeroShotIoUMetric', 'areas_file', '.npz', read_areas),
    (
        'InstanceAPMetric',
        'matches_file',
        '.matches.npz',
        lambda path: InstanceMatches(**read_arrays(path)),
    ),
    (
        'PanopticQualityMetric',
        'counts_file',
        '.segments.npz',
        lambda path: PanopticCounts(**read_arrays(path)),
    ),
)
CHECKS = ('class_names', 'preflight')
OLD_CHECKPOINTS = dict(
    type='CheckpointHook', by_epoch=False, interval=2000, max_keep_ckpts=2, save_last=True
)


def of_what_is_there(make: Callable) -> property:
    """A property of a job that is kept until files of the stages before come: their bytes count."""

    def get(job: 'Job'):
        before, known = job.__dict__.get(make.__name__, (None, None))
        if before != job.missing:
            known = make(job)
            job.__dict__[make.__name__] = job.missing, known
        return known

    return property(get, doc=make.__doc__)


@dataclass(frozen=True)
class Job:
    """A run of a suite with a seed, whose outputs are below `out`.

    `out/KEY.json` is the result, `out/KEY.npz` the areas of every test image (`KEY.matches.npz` its
    instances, `KEY.segments.npz` its panoptic segments), `out/KEY.log` what was printed, `out/KEY/`
    MMEngine's folder of the test. Runs that differ in what a test alone
    reads share a training: its folder is `out/train_KEY/` of another key, weights included until
    `run_jobs` has done the last of them.
    """

    suite: Suite
    suite_name: str
    run: Run
    seed: int
    quick: bool
    out: Path

    @property
    def label(self) -> str:
        return f'{self.run.name}, seed {self.seed}' if self.run.trains else self.run.name

    @cached_property
    def config(self):
        """The mmengine Config that is tested; what is trained is in `training`."""
        from ...apis.launch import load_config, set_steps

        quick = (
            {
                name: value
                for name, value in self.suite.quick_options.items()
                if self.run.trains or not name.startswith('train_')
            }
            if self.quick
            else {}
        )
        options = {**self.run.options, **quick}
        # merging takes `_delete_` out of what it is given
        cfg = load_config(
            self.run.config, options=copy.deepcopy(options), work_dir='', weights=self.run.weights
        )
        steps = self.suite.quick_steps if self.quick else None
        steps = steps or self.run.steps
        if self.run.trains and steps:
            set_steps(cfg, steps)
        cfg.setdefault('randomness', {}).seed = self.seed
        # Only the end is measured, and the processes are ours to share out.
        cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
        for name in ('train_dataloader', 'test_dataloader'):
            if cfg.get(name):
                cfg[name].update(num_workers=0, persistent_workers=False)
                cfg[name].pop('prefetch_factor', None)
        return cfg

    @cached_property
    def training(self):
        """`config` without what a test alone reads: data, offset, fusion, tasks, things, words."""
        cfg = copy.deepcopy(self.config)
        for name in TEST_PARTS:
            cfg.pop(name, None)
        cfg.model.get('decode_head', {}).pop('seen_offset', None)
        cfg.model.pop('fusion', None)
        cfg.model.pop('things', None)
        cfg.model.get('test_cfg', {}).pop('tasks', None)
        if cfg.get('custom_hooks'):
            cfg.custom_hooks = [
                hook for hook in cfg.custom_hooks if not hook['type'].endswith('SetClassesHook')
            ]
        return cfg

    @of_what_is_there
    def checkpoints(self) -> list[dict]:
        """The CLIP files that the config reads, see `clip_files`."""
        return clip_files(self.config.model)

    @of_what_is_there
    def key(self) -> str:
        """Digest of all that decides the result: the resolved config with its seed, the bytes of
        the CLIP files, how it is tested, and `VERSION`."""
        # 'amp' where it is on alone: results from before there was such a switch keep their keys
        how = [self.run.trains, self.run.tta, *(['amp'] if self.run.amp else [])]
        return self._digest(self.config, *how)

    @of_what_is_there
    def training_key(self) -> str | None:
        """Digest of all that decides the weights, sources included;
        None of a run without training."""
        if not self.run.trains:
            return None
        return self._digest(self.training, 'training', self.run.amp, source_digest())

    def _digest(self, cfg, *how) -> str:
        resolved = {
            name: value
            for name, value in cfg.to_dict().items()
            if name not in ('work_dir', 'launcher', 'runner_type')
        }
        if 'checkpoint' in resolved.get('default_hooks', {}):
            # `execute` sets its own, and checks change no result: keys of results from before stay
            resolved['default_hooks'] = {
                **{
                    name: hook
                    for name, hook in resolved['default_hooks'].items()
                    if name not in CHECKS
                },
                'checkpoint': OLD_CHECKPOINTS,
            }
        named = {item['sha256'] or item['weights'] for item in self.checkpoints}
        files = sorted(named, key=str)  # a tower at random has neither
        text = json.dumps([VERSION, resolved, files, *how], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def stages(self) -> list[str]:
        """The files of the stages before that were missing when they were first asked for."""
        from ...apis.launch import stage_before

        files, cfg = [], self.config
        while found := stage_before(cfg):
            file, cfg = found
            files.append(file)
        return files

    @property
    def missing(self) -> set[str]:
        """Those of `stages` that still are."""
        return {file for file in self.stages if not os.path.exists(file)}

    @property
    def held(self) -> set[str]:
        """What no other process may train at the same time: its own weights, and what is missing of
        the stages before."""
        return self.missing | ({self.training_key} if self.run.trains else set())

    @property
    def folder(self) -> Path:
        return self.out / self.key

    @property
    def training_folder(self) -> Path:
        return self.out / f'train_{self.training_key}'

    def path(self, suffix: str) -> Path:
        return self.out / (self.key + suffix)

    def result(self) -> dict | None:
        """The cached result, with what its metrics `kept`; None where none can be read."""
        try:
            result = json.loads(self.path('.json').read_text())
            # the key names these very files, and says more of them than an old result
            return {
                **result,
                'checkpoints': self.checkpoints,
                'kept': [read(self.path(end)) for *_, end, read in kept_by(self.config)],
            }
        except (OSError, ValueError, KeyError, BadZipFile):
            return None

    def forget(self) -> None:
        """Removes the cached result and whatever a killed run has left."""
        for suffix in ('.json', '.log', *(end for _, _, end, _ in KEPT)):
            self.path(suffix).unlink(missing_ok=True)
        for folder in (self.folder, self.training_folder):
            shutil.rmtree(folder, ignore_errors=True)

    def drop_weights(self) -> None:
        """Removes the trained weights, which no run needs any more."""
        for path in self.training_folder.glob('*.pth'):
            path.unlink()


def train_once(job: Job) -> Path:
    """The trained weights: trains unless a run of the same training has, going on from the newest
    checkpoint of a killed one."""
    from ...apis.launch import train

    cfg = copy.deepcopy(job.training)
    steps = cfg.train_cfg.max_iters
    checkpoint = job.training_folder / f'iter_{steps}.pth'
    if not checkpoint.is_file():
        cfg.work_dir = str(job.training_folder)
        cfg.default_hooks.checkpoint = dict(
            type='CheckpointHook',
            by_epoch=False,
            interval=min(CHECKPOINT_STEPS, steps),
            max_keep_ckpts=1,
            save_last=True,
        )
        train(cfg, resume=True, amp=job.run.amp)
    return checkpoint


def execute(job: Job) -> dict:
    """Trains where the run trains, see `train_once`, tests, and writes the result. Returns it."""
    from ...apis.launch import evaluate, train_stage_before

    start = time.time()
    cfg = copy.deepcopy(job.config)
    train_stage_before(cfg, job.run.trains)
    cfg.work_dir = str(job.folder)
    checkpoint = train_once(job) if job.run.trains else None
    for metric, option, end, _ in kept_by(cfg):
        metric[option] = str(job.path(end))
    metrics = evaluate(cfg, checkpoint, tta=job.run.tta, amp=job.run.amp)
    result = dict(
        version=VERSION,
        config=job.run.config,
        options=dict(job.run.options),
        seed=job.seed,
        trained=job.run.trains,
        steps=cfg.train_cfg.max_iters if job.run.trains else 0,
        tta=job.run.tta,
        amp=job.run.amp,
        metrics=metrics,
        checkpoints=job.checkpoints,
        sources=source_digest(),
        date=time.strftime('%Y-%m-%d'),
        seconds=round(time.time() - start, 1),
        machine=machine(),
    )
    write_json(job.path('.json'), result)
    return result


def kept_by(cfg) -> list[tuple]:
    """A row of `KEPT` for each metric of the config that keeps anything, its own config in the
    place of its name.

    Raises:
        ValueError: the config has none, so no claim could be judged.
    """
    metrics = cfg.test_evaluator
    metrics = metrics if isinstance(metrics, list | tuple) else [metrics]
    found = [
        (metric, *how) for name, *how in KEPT for metric in metrics if metric['type'].endswith(name)
    ]
    if not found:
        raise ValueError(
            f'test_evaluator of {cfg.filename} has {[m["type"] for m in metrics]}; the claims need '
            f'one of {", ".join(name for name, *_ in KEPT)} of mmseg_zsclip, which keep what they '
            'counted in every image.'
        )
    return found
