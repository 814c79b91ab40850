"""One model on many test sets: what `zsclip bench` runs."""

import copy
import csv
import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from prettytable import PrettyTable

from ..clip.download import sha256_of
from ..datasets.pipelines import config_pipelines
from ..files import whole_file, write_json
from ..registry import DATASETS
from ..vocabulary.lists import load_classes
from .configs import config_root, what_is_missing
from .launch import evaluate

# name: file of configs/_base_/datasets, and the name in tables
SETS = {
    'a847': ('ade847', 'A-847'),
    'a150': ('ade150', 'A-150'),
    'ade_panoptic': ('ade_panoptic', 'ADE panoptic'),
    'coco_panoptic': ('coco_panoptic', 'COCO panoptic'),
    'coco_all': ('coco_base_novel', 'COCO 48 + 17'),
    'coco_base': ('coco_base', 'COCO 48'),
    'coco_novel': ('coco_novel', 'COCO 17'),
    'pc459': ('pc459', 'PC-459'),
    'pc59': ('context59', 'PC-59'),
    'pas20': ('voc20', 'PAS-20'),
    'voc21': ('voc21', 'VOC21'),
    'pc60': ('context60', 'PC-60'),
    'object': ('coco_object', 'COCO-Object'),
    'city': ('cityscapes', 'Cityscapes'),
    'stuff': ('coco_stuff', 'COCO-Stuff'),
    'camvid': ('camvid', 'CamVid'),
    'toy': ('toy', 'toy'),
    'toy_target': ('toy_target', 'toy target'),
}
GROUPS = {
    'open-vocabulary': ('a847', 'pc459', 'a150', 'pc59', 'pas20'),
    'cross-data': ('ade_panoptic', 'a150', 'a847', 'pc59', 'pc459'),
    'base-novel': ('coco_all', 'coco_base', 'coco_novel'),
    'training-free': ('voc21', 'pc60', 'object', 'pas20', 'city', 'pc59', 'a150', 'stuff'),
}
PROTOCOLS = ('whole', 'windows')
SCORES = ('mIoU', 'mIoU(S)', 'mIoU(U)', 'hIoU')
OTHER_SCORES = ('PQ', 'PQ(th)', 'PQ(st)', 'AP50', 'AP50(base)', 'AP50(novel)')


def chosen_sets(names: Sequence[str]) -> list[str]:
    """Names of sets and of groups -> sets, each once, in the order given.

    Raises:
        ValueError: an unknown name; gives the nearest.
    """
    chosen = []
    for name in names:
        if name not in SETS and name not in GROUPS:
            near = get_close_matches(name, [*SETS, *GROUPS], 1, 0.4)
            hint = f'Nearest: {near[0]}. ' if near else ''
            raise ValueError(
                f"there is no test set '{name}'. {hint}Legal: {', '.join(SETS)}; or a "
                f'group: {", ".join(GROUPS)}.'
            )
        chosen += GROUPS.get(name, (name,))
    return list(dict.fromkeys(chosen))


def base_config(kind: str, name: str) -> Config:
    return Config.fromfile(config_root() / '_base_' / kind / f'{name}.py')


def vocabulary_settings(node) -> list[dict]:
    """The parts of a model's config that name classes."""
    if isinstance(node, list | tuple):
        return [found for child in node for found in vocabulary_settings(child)]
    if not isinstance(node, dict):
        return []
    inner = [found for child in node.values() for found in vocabulary_settings(child)]
    return [node, *inner] if {'classes', 'text'} <= set(node) else inner


def config_for(cfg: Config, name: str, protocol: str | None = None, trained: bool = True) -> Config:
    """The config of a model on another test set; its own stays as it is.

    A config may say of `other_sets`, by their files of configs/_base_/datasets, at which `scale` it
    takes their photos and other `classes`, words for the same labels. A base config says the
    `tasks` and `things` of a set for models of two stages.

    Args:
        name: key of `SETS`.
        protocol: of `PROTOCOLS`, sets image size, inference, templates and the words for the
            background; None keeps the config's own.
        trained: the model has a checkpoint, whose classes change after it is loaded. To it, no
            class of another set is unseen by name; without, that set's own split is reported.

    Raises:
        ValueError: a model without a vocabulary, or with a protocol that is no name of one.
    """
    file = SETS[name][0]
    base, cfg = base_config('datasets', file), copy.deepcopy(cfg)
    heads = vocabulary_settings(cfg.model)
    if not heads:
        raise ValueError(
            'no part of the model has `classes` and `text`, so its vocabulary is fixed and '
            'it has one test set. Use `zsclip test`.'
        )
    other = cfg.get('other_sets', {}).get(file, {})
    pipeline = own_pipeline(cfg, other.get('scale'), 'tasks' in base)
    if protocol is not None:
        apply_protocol(cfg, heads, pipeline, name, protocol)
    own = load_classes(heads[0]['classes']) == load_classes(base.classes)
    if own:
        unseen = heads[0].get('unseen')
    else:
        unseen = 'none' if trained else base.unseen
    dataset = copy.deepcopy(base.test_dataloader.dataset)
    dataset.update(metainfo=dict(dataset.get('metainfo', {}), unseen=unseen), pipeline=pipeline)
    cfg.test_dataloader.dataset = dataset
    cfg.test_evaluator = base.test_evaluator
    if 'tasks' in base or 'tasks' in (cfg.model.get('test_cfg') or {}):
        cfg.model.test_cfg = dict(cfg.model.get('test_cfg') or {})
        cfg.model.test_cfg['tasks'] = base.get('tasks', ['semantic'])
    if own:
        return cfg
    words = dict(classes=other.get('classes', base.classes))
    if 'things' in base:
        words['things'] = base.things
    if trained:
        hooks = [
            hook
            for hook in cfg.get('custom_hooks') or []
            if not str(hook['type']).endswith('SetClassesHook')
        ]
        cfg.custom_hooks = [*hooks, dict(type='mmseg_zsclip.SetClassesHook', **words)]
    else:
        for head in heads:
            head.pop('things', None)
            head.update(words, unseen=unseen)
    return cfg


def own_pipeline(cfg: Config, scale: Sequence[int] | None, things: bool) -> list[dict]:
    """The model's test pipeline, photos at another `scale` if one is given, for a set that has
    instance maps to load, `things`, or none."""
    return [
        dict(step, scale=scale) if scale and step['type'] == 'Resize' else step
        for step in next(config_pipelines(cfg.test_dataloader.dataset))
        if things or not str(step['type']).endswith('LoadInstances')
    ]


def apply_protocol(
    cfg: Config, heads: Sequence[dict], pipeline: list, name: str, protocol: str
) -> None:
    """Image size, inference, templates and background words of a protocol, written into `cfg`, its
    `heads` and the test `pipeline`."""
    if protocol not in PROTOCOLS:
        raise ValueError(f'protocol is {protocol!r}; legal values: {", ".join(PROTOCOLS)}.')
    settings, file = base_config('protocols', protocol), SETS[name][0]
    cfg.model.test_cfg = settings.inference
    for i, step in enumerate(pipeline):
        if str(step['type']) == 'Resize':
            pipeline[i] = dict(settings.resize, **settings.resize_of.get(file, {}))
    for head in heads:
        head['text']['templates'] = settings.templates
        head.pop('background', None)
        if file in settings.background_of:
            head['background'] = settings.background_of[file]


@dataclass
class Row:
    """One test set: `metrics` in percent as `evaluate` gives them, or why there are none."""

    name: str
    title: str
    metrics: dict
    seconds: float = 0.0
    skipped: str = ''
    paper: float | None = None


def bench(
    cfg: Config,
    checkpoint: str | None,
    sets: Sequence[str],
    protocol: str | None = None,
    again: bool = False,
    amp: bool = False,
) -> list[Row]:
    """Tests a model on `sets` and keeps every result in `<work_dir>/<set>.json`, where the next
    call finds it; what the model, its settings or its checkpoint changed is measured anew.

    Args:
        cfg: of `load_config`; its `work_dir` gets the results.
        checkpoint: trained weights; None for a model that has nothing to train.
        again: measures everything anew.

    Returns: a row for each set; those whose data are not there say so in `skipped`.
    """
    folder, rows = Path(cfg.work_dir), []
    for name in sets:
        one = config_for(cfg, name, protocol, trained=checkpoint is not None)
        one.work_dir = str(folder / name)
        row = Row(
            name,
            SETS[name][1],
            {},
            paper=published(Path(cfg.filename).stem, name, protocol or cfg.get('protocol')),
        )
        mark, path = fingerprint(one, checkpoint), folder / f'{name}.json'
        kept = None if again else _kept(path, mark)
        if kept is not None:
            row.metrics, row.seconds = kept
            print_log(f'{row.title}: kept from {path}', logger='current')
        elif (reason := why_not(one, name)) is not None:
            row.skipped = reason
            print_log(f'{row.title}: skipped. {reason}', logger='current')
        else:
            start = time.perf_counter()
            row.metrics = evaluate(one, checkpoint, amp=amp)
            row.seconds = time.perf_counter() - start
            if is_main_process():
                write_json(path, dict(fingerprint=mark, metrics=row.metrics, seconds=row.seconds))
        rows.append(row)
    return rows


def why_not(cfg: Config, name: str) -> str | None:
    """What is missing of the data of test set `name`; None where all is there."""
    try:
        init_default_scope(cfg.default_scope)
        with what_is_missing(base_config('datasets', SETS[name][0])):
            DATASETS.build(copy.deepcopy(cfg.test_dataloader.dataset))
    except FileNotFoundError as error:
        return str(error)
    return None


def fingerprint(cfg: Config, checkpoint: str | None) -> str:
    """Of all that decides the numbers, but the photos."""
    digest = hashlib.sha256()
    for key in ('model', 'test_dataloader', 'test_evaluator', 'custom_hooks'):
        digest.update(repr(cfg.get(key)).encode())
    if checkpoint is not None:
        digest.update(sha256_of(Path(checkpoint)).encode())
    return digest.hexdigest()


def _kept(path: Path, mark: str) -> tuple[dict, float] | None:
    try:
        saved = json.loads(path.read_text(encoding='utf-8'))
        return (saved['metrics'], saved['seconds']) if saved['fingerprint'] == mark else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none, or of another make: it is measured again


def published(config: str, name: str, protocol: str | None) -> float | None:
    """mIoU that was published for a shipped config, by others; see `configs/published.json`."""
    table = json.loads((config_root() / 'published.json').read_text(encoding='utf-8'))
    for row in table:
        if config.startswith(tuple(row['configs'])) and row.get('protocol') in (None, protocol):
            return row['mIoU'].get(name)
    return None


def console_table(rows: Sequence[Row]) -> str:
    """Percent; a star marks what others have published and nobody here has measured."""
    table = PrettyTable(head(rows))
    table.align = 'r'
    table.align['test set'] = 'l'
    for cells in _cells(rows):
        table.add_row(cells)
    return '\n'.join(
        [
            table.get_string(),
            *(f'{row.title} was skipped: {row.skipped}' for row in rows if row.skipped),
        ]
    )


def write_tables(rows: Sequence[Row], folder: Path) -> None:
    """`bench.json`, `bench.csv` and `bench.md` in `folder`."""
    write_json(folder / 'bench.json', dict(rows=[asdict(row) for row in rows]))
    names, cells = head(rows), _cells(rows)
    lines = [names, ['---', *['---:'] * (len(names) - 1)], *cells]
    with whole_file(folder / 'bench.md') as partial:
        partial.write_text(''.join(f'| {" | ".join(line)} |\n' for line in lines), encoding='utf-8')
    with (
        whole_file(folder / 'bench.csv') as partial,
        partial.open('w', newline='', encoding='utf-8') as file,
    ):
        csv.writer(file).writerows([names, *cells])


def scores(rows: Sequence[Row]) -> list[str]:
    """The columns of a table: those of semantic segmentation, and of other tasks that some set
    has."""
    return [*SCORES, *(key for key in OTHER_SCORES if any(key in row.metrics for row in rows))]


def head(rows: Sequence[Row]) -> list[str]:
    return ['test set', *scores(rows), 'published mIoU']


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    columns = scores(rows)
    out = [
        [
            row.title,
            *(_number(row.metrics.get(key)) for key in columns),
            _number(row.paper, star='*'),
        ]
        for row in rows
    ]
    measured = [row.metrics['mIoU'] for row in rows if 'mIoU' in row.metrics]
    if len(measured) > 1:
        out.append(
            [
                f'mean of {len(measured)}',
                _number(sum(measured) / len(measured)),
                *[''] * len(columns),
            ]
        )
    return out


def _number(value: float | None, star: str = '') -> str:
    return '' if value is None or math.isnan(value) else f'{value:.1f}{star}'
