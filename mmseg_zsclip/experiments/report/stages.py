"""The stages of the report: draw the world, then train and test a method after another, each with
more supervision than the one before."""

import copy
import hashlib
import io
import json
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ...apis.configs import config_root
from ...apis.launch import METRICS_FILE, evaluate, load_config, set_steps, train
from ...datasets.preflight import check_label_files
from ...engine.folder_lock import in_use
from ...engine.progress import ProgressBar, duration
from ...engine.stopping import TrainingStopped
from ...files import write_json
from ...registry import DATASETS
from ...vocabulary.lists import load_unseen
from ..provenance import clip_files, source_digest, weights_path
from .curves import Curves, read_curves

ARCH = 'ViT-T-8'
PICTURES = 8  # the first so many test scenes: nobody chose them
CHECKPOINT_EVERY = 100
LEAST_STEPS = 20  # of fewer, the learning rate's warm-up would have none
VALIDATIONS, VALIDATION_SCENES = 8, 40


class ReportError(ValueError):
    """What the user asked of the report cannot be done; the message says what can."""


@dataclass(frozen=True)
class Step:
    """A method of the story: its shipped config, what it learns from, and why it may stand below
    the one before."""

    name: str
    config: str
    learns: str
    below: str = ''


STORY = (
    Step('MaskCLIP', 'maskclip/toy_maskclip', 'nothing: it reads a label off each patch of CLIP'),
    Step(
        'MaskCLIP+',
        'maskclip_plus/toy_maskclip_plus',
        'scenes without any mask, which MaskCLIP labels for it',
    ),
    Step(
        'ZegCLIP, inductive',
        'zegclip/toy_inductive',
        'masks of the seen classes; it never hears of the others',
        'no mask of an unseen class was among its labels, and what it changes in CLIP for the seen '
        'ones, the unseen lose; its steps are few (the paper trains 20,000 to 80,000)',
    ),
    Step(
        'MaskCLIP+, transductive',
        'maskclip_plus/toy_maskclip_plus_zs',
        'masks of the seen classes; it labels the others itself, whose names it is told',
    ),
)


@dataclass
class Training:
    """`steps` done of the config's `full_steps`; `seconds` of this training, None where its first
    part was cut off and is not known; `reused`: an earlier call had finished it."""

    folder: Path
    checkpoint: Path
    steps: int
    full_steps: int
    seconds: float | None = None
    reused: bool = False


@dataclass
class Method:
    """A step's numbers on the test scenes. `metrics` and `per_class` as ZeroShotIoUMetric gives
    them, in percent; `predictions`: folder of a label map for each scene."""

    step: Step
    metrics: dict
    per_class: list[dict]
    predictions: Path
    training: Training | None = None
    curves: Curves | None = None


@dataclass
class Stage:
    """A line of the page's table of times, and the command that does the same alone."""

    name: str
    seconds: float
    command: str = ''
    note: str = ''


@dataclass
class Report:
    """All that the page tells."""

    out: Path
    weights: str
    dataset: object
    classes: list[str]
    unseen: list[str]
    scenes: dict[str, int]
    methods: list[Method] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)


class Silence(io.TextIOBase):
    """Takes what MMEngine prints; its log file has all of it."""

    def write(self, text: str) -> int:
        return len(text)


def check_arguments(weights: str, steps: int | None, scenes: int | None) -> None:
    """Raises ReportError: before anything is read or written."""
    for name, value, least in (('--steps', steps, LEAST_STEPS), ('--scenes', scenes, 1)):
        if value is not None and value < least:
            raise ReportError(f'{name} is {value}; give {least} or more, or leave it out.')
    try:
        clip = weights_path(ARCH, weights)
    except FileNotFoundError as error:
        raise ReportError(f'--weights is {weights!r}, but {error}') from error
    if clip is None:
        raise ReportError(
            f'--weights is {weights!r}, which is no file; give toy-dense, toy, or the '
            f'path of another CLIP of architecture {ARCH}.'
        )


def configs(out: Path, weights: str, steps: int | None, scenes: int | None) -> list[Config]:
    """The shipped configs of `STORY`, in which only outputs, CLIP, lengths, validation and the
    progress bar are changed."""
    found = []
    for step in STORY:
        stem = Path(step.config).name
        cfg = load_config(config_root() / f'{step.config}.py', weights=weights, work_dir=out / stem)
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='mmseg_zsclip.ProgressHook')]
        if scenes is not None:
            cfg.test_dataloader.dataset.length = scenes
        if trains(cfg):
            if steps is not None:
                set_steps(cfg, steps)
            cfg.merge_from_dict(validation(cfg))
            every = min(CHECKPOINT_EVERY, cfg.train_cfg.max_iters)
            cfg.default_hooks.checkpoint.update(interval=every, max_keep_ckpts=1, save_last=True)
            cfg.work_dir = str(out / f'{stem}-{training_key(cfg)}')
        found.append(cfg)
    return found


def trains(cfg: Config) -> bool:
    return cfg.train_cfg is not None


def validation(cfg: Config) -> dict:
    """Options that make the curves of a training: few scenes, a few times."""
    return {
        'train_cfg.val_interval': max(cfg.train_cfg.max_iters // VALIDATIONS, 1),
        'val_dataloader.dataset.length': VALIDATION_SCENES,
    }


def training_key(cfg: Config) -> str:
    """Digest of all that decides a training: the config but for its test part, the bytes of the
    CLIP, and the sources of the package."""
    resolved = {
        name: value
        for name, value in cfg.to_dict().items()
        if not name.startswith('test_') and name not in ('work_dir', 'launcher')
    }
    text = json.dumps(
        [resolved, clip_files(cfg.model), source_digest()], sort_keys=True, default=str
    )
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def draw(datasets: dict, chunk: int = 50) -> dict[str, np.ndarray]:
    """Draws every scene of data sets by split and checks its truth. The data set remembers them,
    and the processes that load them later inherit that.

    Returns: pixels of every class, (C + 1,) int64 as `check_label_files` counts them, by split.
    """
    total = sum(map(len, datasets.values()))
    bar, done, pixels = ProgressBar(f'{number(1)} drawing {total:,} scenes', total), 0, {}
    for split, dataset in datasets.items():
        classes = len(dataset.metainfo['classes'])
        paths = [dataset.get_data_info(i)['seg_map_path'] for i in range(len(dataset))]
        pixels[split] = np.zeros(classes + 1, np.int64)
        for start in range(0, len(paths), chunk):
            part = paths[start : start + chunk]
            pixels[split] += check_label_files(part, classes)
            done += len(part)
            bar.update(done)
    bar.close('every pixel has a class' if not any(p[-1] for p in pixels.values()) else '')
    return pixels


def build_datasets(cfg: Config) -> dict:
    """Data sets by split. Training scenes come last: they are the ones to be remembered."""
    init_default_scope('mmseg')
    return {
        split: DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        for split in ('test', 'val', 'train')
    }


def number(stage: int) -> str:
    """'3/9': drawing, a test of each method, trainings of all but the first, and the page."""
    return f'{stage}/{2 * len(STORY) + 1}'


def finish_training(cfg: Config, step: Step) -> Training:
    """Trains, goes on with a training that was killed, or finds it finished."""
    folder, steps = Path(cfg.work_dir), cfg.train_cfg.max_iters
    record = folder / 'training.json'
    full_steps = load_config(config_root() / f'{step.config}.py').train_cfg.max_iters
    out = Training(folder, folder / f'iter_{steps}.pth', steps, full_steps)
    if record.is_file() and out.checkpoint.is_file():
        out.reused, out.seconds = True, json.loads(record.read_text())['seconds']
        say(
            f'{step.name}: its {steps:,} steps were trained before with this config, CLIP and '
            f'code; {folder} is used again. Delete it to train anew.'
        )
        return out
    begun = (folder / 'last_checkpoint').is_file()
    start = time.time()
    train(copy.deepcopy(cfg), resume=True)
    out.seconds = None if begun else time.time() - start
    write_json(record, dict(seconds=out.seconds))
    return out


def test(step: Step, cfg: Config, checkpoint: Path | None, predictions: Path) -> Method:
    """Evaluates and keeps the label map of every scene."""
    cfg = copy.deepcopy(cfg)
    cfg.test_evaluator.output_dir = str(predictions)
    metrics = evaluate(cfg, checkpoint)
    newest = max(
        Path(cfg.work_dir).glob(f'*/{METRICS_FILE}'), key=lambda path: path.stat().st_mtime
    )
    return Method(step, metrics, json.loads(newest.read_text())['per_class'], predictions)


def scores(metrics: dict) -> str:
    """'mIoU 40.1, seen 45.0, unseen 25.3, hIoU 32.4'."""
    names = {'mIoU': 'mIoU', 'mIoU(S)': 'seen', 'mIoU(U)': 'unseen', 'hIoU': 'hIoU'}
    return ', '.join(f'{name} {metrics[key]:.1f}' for key, name in names.items() if key in metrics)


def label(cfg: Config, train_label: str, test_label: str) -> None:
    cfg.custom_hooks[-1].update(train_label=train_label, test_label=test_label)


class Stages(list):
    """Does the stages and notes what each took."""

    def do(self, name: str, work: Callable):
        start = time.time()
        result = work()
        self.append(Stage(name, time.time() - start))
        return result


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C ends the program in two lines, with the status of its signal."""
    try:
        yield
    except KeyboardInterrupt as stop:
        training = isinstance(stop, TrainingStopped)
        done = str(stop).splitlines()[0] if training else 'stopped'
        print(
            f'\nzsclip report: {done}. The same command goes on from the last checkpoint.',
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(stop.status if training else 130) from None


def run_stages(out: Path, weights: str, steps: int | None, scenes: int | None) -> Report:
    """Everything but the page.

    Raises:
        ReportError: see `check_arguments`; the configs and `load_clip` raise their own.
        RunError: another report is made in `out`.
        SystemExit: Ctrl-C.
    """
    check_arguments(weights, steps, scenes)
    with in_use(out), stoppable(), redirect_stdout(Silence()), warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # mmseg's, of its own deprecated functions
        found = configs(out, weights, steps, scenes)
        split = next(cfg for cfg in found if trains(cfg))
        datasets = build_datasets(split)
        report = Report(
            out,
            weights,
            datasets['test'],
            list(datasets['test'].metainfo['classes']),
            load_unseen(split.model.decode_head.unseen),
            {name: len(dataset) for name, dataset in datasets.items()},
            stages=Stages(),
        )
        report.stages.do('drawing the scenes', lambda: draw(datasets))
        for step, cfg in zip(STORY, found, strict=True):
            report.methods.append(run_step(step, cfg, report))
            add_commands(report, cfg, steps, scenes)
            say(scores(report.methods[-1].metrics))
    return report


def run_step(step: Step, cfg: Config, report: Report) -> Method:
    """Trains the step's model, if it trains, and tests it."""
    stage, training = len(report.stages) + 1, None
    train_label, test_label = f'{number(stage)} training', f'{number(stage + trains(cfg))} testing'
    cfg.custom_hooks[-1].update(
        train_label=f'{train_label} {step.name}', test_label=f'{test_label} {step.name}'
    )
    if trains(cfg):
        training = report.stages.do(f'training {step.name}', lambda: finish_training(cfg, step))
        if training.reused:
            report.stages[-1].note = 'trained by an earlier call' + (
                '' if training.seconds is None else f', in {duration(training.seconds)}'
            )
        elif training.seconds is None:
            report.stages[-1].note = 'the rest of a training that was cut off'
    method = report.stages.do(
        f'testing {step.name}',
        lambda: test(
            step,
            cfg,
            training and training.checkpoint,
            report.out / 'predictions' / Path(step.config).name,
        ),
    )
    method.training = training
    if training:
        method.curves = read_curves(training.folder)
    return method


def add_commands(report: Report, cfg: Config, steps: int | None, scenes: int | None) -> None:
    """Gives the last method's stages the commands that do them alone."""
    method = report.methods[-1]
    config = Path(method.step.config).name
    weights = f'--weights {shlex.quote(report.weights)}'
    length = f' --cfg-options test_dataloader.dataset.length={scenes}' if scenes else ''
    if method.training is None:
        report.stages[-1].command = f'zsclip test {config} {weights}{length}'
        return
    folder = shlex.quote(str(method.training.folder))
    checkpoint = shlex.quote(str(method.training.checkpoint))
    if steps is None:
        options = ' '.join(f'{key}={value}' for key, value in validation(cfg).items())
        options = f' --cfg-options {options}'
    else:  # its schedule is another one: the run's own copy
        config, options = f'{folder}/{config}.py', ''
    report.stages[-2].command = f'zsclip train {config} {weights} --work-dir {folder}{options}'
    report.stages[-1].command = f'zsclip test {config} {checkpoint} {weights}{length}'


def say(text: str) -> None:
    print(f'    {text}', file=sys.stderr, flush=True)
