"""What every shipped config comes to is what it came to before: `goldens/configs.json` holds it.

By effect, not by text: a class list told thrice equals one that the data set carries, and a value
that a default gives equals one that is written. A change that is meant is written down, and shown
as a difference of settings, by

    python tests/test_resolved_configs.py --write            # 12 minutes
    python tests/test_resolved_configs.py --write NAME ...   # these configs alone
"""

import json
import os
import sys
import tempfile
import zlib
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.apis.configs import shipped_configs
from mmseg_zsclip.datasets.transforms.hide_unseen import TRUTH
from mmseg_zsclip.evaluation import ZeroShotIoUMetric
from mmseg_zsclip.registry import DATASETS, METRICS, MODELS
from mmseg_zsclip.vocabulary.class_names import canonical
from mmseg_zsclip.vocabulary.lists import load_classes, load_unseen, vocabularies

GOLDEN = Path(__file__).parent / 'goldens' / 'configs.json'
CONFIGS = {path.stem: path for path in shipped_configs()}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
EVALUATORS = ('val_evaluator', 'test_evaluator')
# The other keys that a run, `--tta` or an error text reads; the rest is on the way to these.
RUN = dict(
    schedule=('optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'load_from'),
    hooks=('default_hooks', 'custom_hooks'),
    runtime=(
        'val_cfg',
        'test_cfg',
        'default_scope',
        'runner_type',
        'custom_imports',
        'env_cfg',
        'randomness',
        'visualizer',
        'log_processor',
        'log_level',
        'resume',
        'made_by',
        'other_sets',
        'tta',
        'protocol',
    ),
)
# What a data set may change in a transform of its pipeline.
SETTLED = ('ignore_index', 'seg_pad_val', 'seg_fill_in', 'pad_val')


def listed(names) -> str:
    """A list of names as one line: what it is called where it is shipped, else the names."""
    names = [canonical(name) for name in names]
    code = f'{len(names)} names, {zlib.crc32(",".join(names).encode()):08x}'
    for source in vocabularies():
        if names == [canonical(name) for name in load_classes(source)]:
            return f'{source} ({code})'
    return ', '.join(names) if len(names) <= 20 else f'{names[0]}, ..., {names[-1]} ({code})'


def plain(value):
    """Dicts and lists for JSON; a vocabulary as the names that it stands for."""
    if isinstance(value, dict):
        value = dict(value)
        if value.get('classes') is not None:
            value['unseen'] = listed(
                load_unseen(value.get('unseen'), load_classes(value['classes']))
            )
            value['classes'] = listed(load_classes(value['classes']))
        return {str(key): plain(one) for key, one in sorted(value.items())}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def of_preprocessor(config: dict) -> dict:
    """The attributes of the built one, without its class."""
    built = MODELS.build(config)
    return {
        name: [round(x, 5) for x in value.flatten().tolist()]
        if torch.is_tensor(value)
        else plain(value)
        for name, value in sorted({**vars(built), **built._buffers}.items())
        if not name.startswith('_') and name != 'training' or name.startswith('_enable')
    }


def of_model(config: dict) -> dict:
    config = dict(config)
    normalised = of_preprocessor(config.pop('data_preprocessor'))
    teacher = config.pop('teacher', None)
    return dict(
        {key: plain(one) for key, one in config.items()},
        data_preprocessor=normalised,
        **({} if teacher is None else {'teacher': of_model(teacher)}),
    )


def of_transform(config: dict, built) -> dict:
    """Its arguments, and what the data set handed on to it."""
    out = dict(config, type=type(built).__name__)
    out.update({name: getattr(built, name) for name in SETTLED if hasattr(built, name)})
    if out['type'] == 'LoadLabels':
        out.pop('classes', None)
        out.update(num_classes=len(built.classes), reduce_zero_label=built.reduce_zero_label)
    if out['type'] == 'HideUnseen':
        names = [canonical(name) for name in built.classes]
        out.update(
            classes=listed(names),
            unseen=', '.join(names[i] for i in built.unseen),
            mode=built.mode,
            keep_truth=built.keep_truth,
            value=built.value,
            hidden=zlib.crc32(str(built.hidden).encode()),
        )
        return dict(sorted(out.items()))
    if TRUTH in getattr(built, 'meta_keys', ()):
        out['packs'] = TRUTH
    return plain(out)


def of_leaf(config: dict, built) -> dict:
    """A data set: its own arguments, what it says of classes and labels, its pipeline."""
    own = {
        key: plain(value)
        for key, value in config.items()
        if key not in ('pipeline', 'metainfo', 'lazy_init', 'setting', 'keep_truth')
    }
    info = built.metainfo
    return dict(
        own,
        type=type(built).__name__,
        classes=listed(info['classes']),
        palette=zlib.crc32(str(info.get('palette')).encode()),
        ignore_index=built.ignore_index,
        reduce_zero_label=built.reduce_zero_label,
        img_suffix=built.img_suffix,
        seg_map_suffix=built.seg_map_suffix,
        label_map=built.label_map,
        test_mode=built.test_mode,
        pipeline=[
            of_transform(*pair)
            for pair in zip(config['pipeline'], built.pipeline.transforms, strict=True)
        ],
    )


def leaves(node, key: str):
    """Dicts in a config that have this key, outermost first."""
    if isinstance(node, dict) and key in node:
        yield node
    elif isinstance(node, dict | list | tuple):
        for child in node.values() if isinstance(node, dict) else node:
            yield from leaves(child, key)


def built_leaves(dataset):
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner == [None]:
        return [dataset]
    return [leaf for one in inner for leaf in built_leaves(one)]


def of_loader(config: dict | None) -> dict | None:
    if config is None:
        return None
    out = {key: plain(value) for key, value in config.items() if key != 'dataset'}
    configs = list(leaves(config['dataset'], 'pipeline'))
    for leaf in configs:
        leaf['lazy_init'] = True
    joined = next(leaves(config['dataset'], 'datasets'), None)
    if joined is not None:
        joined['lazy_init'] = True
    built = DATASETS.build(config['dataset'])
    out['data'] = [of_leaf(*pair) for pair in zip(configs, built_leaves(built), strict=True)]
    return dict(out, metainfo=listed(built.metainfo['classes']))


def of_evaluator(config: dict | list, loader: dict) -> dict | list:
    """Its arguments, and the classes that it takes for unseen on this data."""
    if isinstance(config, list):
        return [of_evaluator(one, loader) for one in config]
    if 'ann_file' in config:  # of the data set, which is not there
        return plain(dict(config))
    metric = METRICS.build(config)
    if not isinstance(metric, ZeroShotIoUMetric):
        return plain(dict(config))
    metric.dataset_meta = DATASETS.build(loader['dataset']).metainfo
    classes = metric.dataset_meta['classes']
    return dict(plain(dict(config)), unseen=', '.join(classes[i] for i in metric.unseen))


def effect(path: Path) -> dict:
    """Everything that decides what a config trains and tests, as JSON."""
    config = Config.fromfile(path).to_dict()
    init_default_scope('mmseg')
    model = of_model(config['model'])
    out = {
        f'model.{key}': model.pop(key)
        for key in list(model)
        if isinstance(model[key], dict) and key != 'test_cfg'
    }
    out['model.rest'] = model
    for key in LOADERS:
        out[key] = of_loader(config[key])
    for key, loader in zip(EVALUATORS, LOADERS[1:], strict=True):
        out[key] = of_evaluator(config[key], config[loader])
    out['test_pipeline'] = [  # what mmseg's `inference_model` takes
        plain({key: value for key, value in step.items() if key != 'classes'})
        for step in config['test_pipeline']
    ]
    for part, keys in RUN.items():
        out[part] = {key: plain(config[key]) for key in keys if key in config}
    return json.loads(json.dumps(out, sort_keys=True))


def flat(value, key: str = '') -> dict:
    """Dotted key -> value."""
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {name: one for k, inner in pairs for name, one in flat(inner, f'{key}.{k}').items()}
    return {key.lstrip('.'): value}


def differences(before: dict, now: dict) -> list[str]:
    before, now = flat(before), flat(now)
    return [
        f'{key}: {before.get(key, "nothing")!r} -> {now.get(key, "nothing")!r}'
        for key in sorted({*before, *now})
        if before.get(key, '') != now.get(key, '')
    ]


def shared(effects: dict[str, dict]) -> dict:
    """The same, with every pipeline and every part of a config that occurs often kept once."""
    parts = {}

    def part(value) -> str:
        text = json.dumps(value, sort_keys=True)
        name = f'{zlib.crc32(text.encode()):08x}'
        assert parts.setdefault(name, value) == value
        return name

    def loader(value):
        if value is None:
            return None
        data = [dict(leaf, pipeline=part(leaf['pipeline'])) for leaf in value['data']]
        return dict(value, data=data)

    configs = {
        name: {key: part(loader(value) if key in LOADERS else value) for key, value in one.items()}
        for name, one in effects.items()
    }
    return dict(parts=parts, configs=configs)


def recorded(golden: dict, name: str) -> dict:
    parts = golden['parts']
    out = {key: parts[one] for key, one in golden['configs'][name].items()}
    for key in LOADERS:
        if out[key] is not None:
            out[key] = dict(
                out[key],
                data=[dict(leaf, pipeline=parts[leaf['pipeline']]) for leaf in out[key]['data']],
            )
    return out


def own_data(folder: Path) -> None:
    """A config for one's own data reads its names from here."""
    own = folder / 'data' / 'own'
    own.mkdir(parents=True)
    (own / 'classes.txt').write_text('road\ngrass, lawn\ndog\n')
    (own / 'unseen.txt').write_text('dog\n')


@pytest.fixture(scope='module')
def golden():
    return json.loads(GOLDEN.read_text())


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    own_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith('ZSCLIP_')]:
        monkeypatch.delenv(name)


def test_every_config_is_recorded_and_none_has_gone(golden):
    assert set(golden['configs']) == set(CONFIGS), f'python {Path(__file__).name} --write'


@pytest.mark.parametrize('name', CONFIGS)
def test_a_config_comes_to_what_it_came_to_before(name, golden):
    assert differences(recorded(golden, name), effect(CONFIGS[name])) == []


def test_a_difference_is_named_by_its_setting(golden):
    before = recorded(golden, 'voc_inductive')
    now = recorded(golden, 'voc_fully')
    found = differences(before, now)
    assert [line for line in found if line.startswith('model.decode_head.unseen: ')]
    assert [line for line in found if '.pipeline.2.mode: ' in line]
    assert not [line for line in found if 'evaluator' in line]


def main() -> None:
    """Prints the differences, of all configs or of those that are named; with `--write` keeps
    them."""
    asked = [word for word in sys.argv[1:] if word != '--write'] or list(CONFIGS)
    before = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else dict(configs={}, parts={})
    with tempfile.TemporaryDirectory() as folder:
        own_data(Path(folder))
        os.chdir(folder)
        effects = {name: effect(CONFIGS[name]) for name in asked}
    kept = set(before['configs']) & set(CONFIGS) - set(asked)
    effects |= {name: recorded(before, name) for name in kept}
    for name in sorted({*before['configs'], *effects}):
        if name not in effects or name not in before['configs']:
            print(f'{name}: {"new" if name in effects else "gone"}')
            continue
        for line in differences(recorded(before, name), effects[name]):
            print(f'{name}: {line}')
    if '--write' in sys.argv:
        now = shared(effects)
        lines = [
            ',\n'.join(
                f'{json.dumps(key)}: {json.dumps(value, sort_keys=True)}'
                for key, value in sorted(now[section].items())
            )
            for section in ('configs', 'parts')
        ]
        GOLDEN.write_text(f'{{"configs": {{\n{lines[0]}}},\n"parts": {{\n{lines[1]}}}}}\n')


if __name__ == '__main__':
    main()
