"""Training and testing of any config: what `zsclip`, `tools/*.py` and mim run."""

import atexit
import copy
import gc
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.logging import print_log
from mmengine.runner import Runner, find_latest_checkpoint
from torch import distributed as dist

from ..datasets.pipelines import config_pipelines
from ..engine.folder_lock import in_use
from ..engine.hooks import bare_model
from ..engine.output_names_hook import OutputNamesHook
from ..engine.resuming import checkpoint_place, find_resumable
from ..engine.run_identity import run_config
from ..files import write_json
from ..registry import RUNNERS
from ..visualization.class_maps import ClassMapsHook
from ..visualization.overlays import OverlayHook
from .building import BUILDING, try_to_build
from .config_values import check_values
from .configs import find_config, what_is_missing
from .options import merge_options

METRICS_FILE = 'metrics.json'
TTA_MODEL = 'mmseg_zsclip.MeanTTAModel'
_runs = itertools.count(1)


def load_config(
    config: str | Path,
    *,
    work_dir: str | Path | None = None,
    launcher: str = 'none',
    options: dict | None = None,
    weights: str | None = None,
) -> Config:
    """Reads a config (see `find_config`) and settles where its outputs go: `work_dir`, else the
    config's own, else `work_dirs/<file name>` below the current directory. `weights` replaces the
    CLIP weights of every tower (see `set_weights`); `options` see `merge_options`, and for wrong
    numbers `check_values`."""
    path = find_config(config)
    with BUILDING:  # Python 3.11 cannot parse in two threads at once
        cfg = Config.fromfile(path)
        merge_options(cfg, options or {})
        check_values(cfg)
    if weights is not None:
        set_weights(cfg, weights)
    cfg.launcher = launcher
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', path.stem)
    return cfg


def set_weights(cfg: Config, weights: str | None) -> int:
    """Sets every `weights` entry of the model: a published tag, `hf-hub:org/name`, a path, or None
    for random ones. An override of the config's top-level `weights` would come too late: the
    model's own entries were filled when the file was read.

    Returns: the number of entries set.

    Raises:
        ValueError: the model has no such entry.
    """
    count = _set_key(cfg.model, 'weights', weights)
    if count == 0:
        raise ValueError(
            f'{cfg.filename} has no `weights` entry in its model, so the CLIP weights '
            f"'{weights}' would be read by nothing. Load a trained checkpoint with load_from "
            'or as the CKPT of `zsclip test`.'
        )
    return count


def _set_key(node, key: str, value) -> int:
    if isinstance(node, list | tuple):
        return sum(_set_key(child, key, value) for child in node)
    if not isinstance(node, dict):
        return 0
    count = sum(_set_key(child, key, value) for name, child in node.items() if name != key)
    if key in node:
        node[key] = value
        count += 1
    return count


def set_steps(cfg: Config, steps: int) -> None:
    """Trains for `steps`; the learning rate's schedule shrinks or stretches with it."""
    before = cfg.train_cfg.max_iters
    schedules = cfg.get('param_scheduler') or []
    for schedule in [schedules] if isinstance(schedules, dict) else schedules:
        for key in ('begin', 'end', 'T_max'):
            if schedule.get(key):
                schedule[key] = max(round(schedule[key] * steps / before), 1)
    cfg.train_cfg.max_iters = steps


def build_runner(cfg: Config) -> Runner:
    """The Runner of `cfg`, distributed on CPUs too, where mmengine asks for a GPU twice: to start
    the processes and to wrap the model.

    Raises:
        ValueError: its `runner_type` is not registered.
    """
    if cfg.launcher != 'none':
        atexit.register(end_group)
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
        if not dist.is_initialized():
            dist.init_process_group('gloo')
        wrapper = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
        cfg.model_wrapper_cfg = {**wrapper, **cfg.get('model_wrapper_cfg', {}), 'device_ids': None}
    if cfg.get('experiment_name') is None:
        # mmengine names a run by the second: two of one process would share the first's log file
        cfg = copy.deepcopy(cfg)
        name = os.path.splitext(os.path.basename(cfg.filename or 'run'))[0]
        cfg.experiment_name = f'{name}_{time.strftime("%Y%m%d_%H%M%S")}_{next(_runs)}'
        if isinstance(cfg.get('visualizer'), dict):  # or its curves would go to the first's folder
            cfg.visualizer.name = cfg.experiment_name
    kind = RUNNERS.get(cfg.get('runner_type', 'mmseg_zsclip.ResumableRunner'))
    if kind is None:
        raise ValueError(
            f'runner_type {cfg.runner_type!r} is no runner. Ours: mmseg_zsclip.ResumableRunner, '
            'mmseg_zsclip.ShardedRunner; one of your own must be registered (custom_imports).'
        )
    runner = kind.from_cfg(cfg)
    runner.register_hook(OutputNamesHook())
    return runner


def end_group() -> None:
    """Ends torch's process group, where there is one, and the model that holds it: its threads can
    abort a process that is done, if they outlive Python, and torchrun calls the run a failure."""
    if dist.is_initialized():
        dist.destroy_process_group()
        gc.collect()


def strings(node) -> Iterator[str]:
    """Every string among the values of a config's dicts and lists."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list | tuple):
        for child in node.values() if isinstance(node, dict) else node:
            yield from strings(child)


def stage_before(cfg: Config) -> tuple[str, Config] | None:
    """A file that the model, or `load_from`, wants and that is missing, and the config that
    `made_by` says it is trained by. One whose `made_by` has a `command` in its place is for the
    user to run."""
    made_by = cfg.get('made_by') or {}
    if 'config' not in made_by:
        return None
    for file in strings([cfg.model, cfg.get('load_from')]):
        if file.endswith(made_by['file']) and not os.path.exists(file):
            folder = os.path.dirname(file)
            return file, load_config(made_by['config'], work_dir=folder, launcher=cfg.launcher)
    return None


def train_stage_before(cfg: Config, trains: bool = True) -> None:
    """Trains what `stage_before` finds. It takes long: if `cfg` itself `trains` afterwards, what is
    wrong with its model or optimizer is told before."""
    found = stage_before(cfg)
    if found is not None:
        file, stage = found
        if trains:
            try_to_build(cfg)
        print_log(f'{file} is missing: {cfg.made_by.config} is trained first', 'current')
        train(stage, resume=True)


def train(
    cfg: Config,
    *,
    resume: bool | str = False,
    amp: bool = False,
    auto_scale_lr: bool = False,
) -> Runner:
    """Trains `cfg`, and before it the stage that `made_by` names as a config, if its file is
    missing.

    Args:
        resume: True goes on from the newest checkpoint in the work folder (and starts as without
            it when there is none), a path from that checkpoint.
        amp: mixed precision; on a CPU bfloat16.
        auto_scale_lr: scales the learning rate with the batch over all processes.

    Raises:
        KeyError: `auto_scale_lr` of a config that does not say what batch its rate is for.
        ValueError: the config has no training.
        RunError, WriteError, TrainingStopped: see `ResumableRunner`.
    """
    if cfg.get('optim_wrapper') is None:
        raise ValueError(
            f'{cfg.filename} has nothing to train: it has no optim_wrapper. Evaluate it without a '
            f'checkpoint: zsclip test {Path(cfg.filename or "CONFIG").stem}'
        )
    if amp:
        cfg.optim_wrapper.type = 'mmseg_zsclip.AmpOptimWrapper'
    base = cfg.get('auto_scale_lr', {}).get('base_batch_size')
    if auto_scale_lr and base is None:
        raise KeyError(
            f'--auto-scale-lr needs auto_scale_lr.base_batch_size, which {cfg.filename} does not '
            'give. Add it: --cfg-options auto_scale_lr.base_batch_size=16'
        )
    if auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    train_stage_before(cfg)
    # Several processes know only in the runner which of them is the first.
    alone = cfg.get('launcher', 'none') == 'none'
    with what_is_missing(cfg), in_use(cfg.work_dir) if alone else nullcontext():
        if resume:
            resume_from(cfg, None if resume is True else str(resume))
        return _train(cfg, base)


def resume_from(cfg: Config, checkpoint: str | None) -> None:
    """Makes `cfg` go on from a checkpoint; None is the newest of its run that loads, and where
    there is none `cfg` starts as it would have.

    Raises:
        RunError: see `find_resumable`.
    """
    place = checkpoint_place(cfg)
    if checkpoint is None and place is None:
        checkpoint = find_latest_checkpoint(cfg.work_dir)
    elif checkpoint is None:
        found = find_resumable(*place, run_config(cfg))
        if found is not None:
            checkpoint, meta = str(found[0]), found[1]
            randomness = dict(cfg.get('randomness') or {})
            if randomness.get('seed') is None:  # or the batches would be others
                cfg.randomness = dict(randomness, seed=meta.get('seed'))
    cfg.resume = checkpoint is not None
    cfg.load_from = checkpoint or cfg.get('load_from')


def _train(cfg: Config, base: int | None) -> Runner:
    runner = build_runner(cfg)
    batch = cfg.train_dataloader.get('batch_size', 1) * runner.world_size
    if base is not None and batch != base and not cfg.auto_scale_lr.enable:
        runner.logger.warning(
            f'{batch} images a step, but the learning rate of this config is for {base}: results '
            'will differ from the published ones. Pass --auto-scale-lr, or change '
            'train_dataloader.batch_size or the number of processes.'
        )
    runner.train()
    return runner


def evaluate(
    cfg: Config,
    checkpoint: str | Path | None = None,
    *,
    show_dir: str | Path | None = None,
    maps_dir: str | Path | None = None,
    tta: bool = False,
    amp: bool = False,
) -> dict:
    """Evaluates `cfg` and writes the metrics as JSON beside the log, `per_class` rows included
    where the metric keeps them.

    A model with nothing to train needs no checkpoint: its own initialisation is the whole of it.
    Another one takes `checkpoint`, else the config's `load_from`. `show_dir` gets one picture per
    image, see `OverlayHook`; `maps_dir` a picture of every class's
    scores, see `ClassMapsHook`. `amp` is mixed precision; on a CPU bfloat16.

    Returns: the metrics, in percent.

    Raises:
        ValueError: no checkpoint for a model that has something to train.
    """
    if tta:
        cfg = with_tta(cfg)
    if amp:
        cfg.test_cfg.fp16 = True  # of MMEngine's TestLoop: bfloat16 on a CPU
    if checkpoint is not None:
        cfg.load_from = str(checkpoint)
    cfg.resume = False
    with what_is_missing(cfg):
        runner = _test_runner(cfg)
        if show_dir is not None:
            runner.register_hook(OverlayHook(show_dir))
        if maps_dir is not None:
            runner.register_hook(ClassMapsHook(maps_dir))
        metrics = runner.test()
    per_class = [
        row
        for metric in runner.test_loop.evaluator.metrics
        for row in getattr(metric, 'per_class', [])
    ]
    path = write_metrics(
        {**metrics, 'per_class': per_class} if per_class else metrics, runner.log_dir
    )
    if path is not None:
        runner.logger.info(f'metrics written to {path}')
    return metrics


def _test_runner(cfg: Config) -> Runner:
    runner = build_runner(cfg)
    if cfg.get('load_from') is None:
        model = bare_model(runner)
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        if trained:
            raise ValueError(
                f'no checkpoint given, but {trained:,} parameters of this model come from training '
                'and would be random. Give the file that training wrote: '
                f'zsclip test {Path(cfg.filename or "CONFIG").stem} CKPT'
            )
        model.init_weights()
        runner.logger.info('the model has nothing to train: tested without a checkpoint')
    return runner


def with_tta(cfg: Config) -> Config:
    """`cfg` with its test-time augmentation switched on: mmseg's `tta_model` and `tta_pipeline`, or
    `tta = dict(scales=[(w, h), ...], flip=True)`, which takes the place of the test pipeline's
    Resize. In the place of mmseg's `SegTTAModel` comes `MeanTTAModel`: the same predictions, and
    the mean's scores.

    Raises:
        KeyError: the config has neither.
    """
    given = cfg.get('tta_pipeline')
    if given is None and 'tta' in cfg:
        cfg.setdefault('tta_model', dict(type=TTA_MODEL))
    if (given is None and 'tta' not in cfg) or 'tta_model' not in cfg:
        raise KeyError(
            f'--tta needs tta = dict(scales=[(width, height), ...], flip=True), or tta_model and '
            f"tta_pipeline as in mmseg's configs, which {cfg.filename} does not define. Add them, "
            'or test without --tta.'
        )
    for pipeline in list(config_pipelines(cfg.test_dataloader.dataset)):
        pipeline[:] = tta_pipeline(list(pipeline), **cfg.tta) if given is None else given
    kind = cfg.tta_model.type
    if (kind if isinstance(kind, str) else kind.__name__).split('.')[-1] == 'SegTTAModel':
        cfg.tta_model.type = TTA_MODEL  # mmseg's keeps the last augmentation's scores
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model
    return cfg


def tta_pipeline(pipeline: list[dict], scales: list[tuple[int, int]], flip: bool = True) -> list:
    """A test pipeline with its Resize at several scales (width, height), each also mirrored.

    Raises:
        ValueError: no scale, or a pipeline without exactly one Resize.
    """
    at = [i for i, step in enumerate(pipeline) if str(step['type']).split('.')[-1] == 'Resize']
    if len(at) != 1 or not scales:
        raise ValueError(
            f'tta has {len(scales)} scales and the test pipeline {len(at)} Resize; it takes at '
            'least one scale and exactly one Resize, which the scales replace.'
        )
    before, resize, after = pipeline[: at[0]], pipeline[at[0]], pipeline[at[0] + 1 :]
    flips = (0.0, 1.0) if flip else (0.0,)
    return [
        *before,
        dict(
            type='TestTimeAug',
            transforms=[
                [dict(resize, scale=tuple(scale)) for scale in scales],
                [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in flips],
                *([step] for step in after),
            ],
        ),
    ]


@master_only
def write_metrics(metrics: dict, folder: str | Path) -> Path:
    """Writes `metrics` to `folder/metrics.json`, whole or not at all."""
    return write_json(Path(folder) / METRICS_FILE, metrics)
