"""Overrides of config entries that would have no effect are errors, found without torch."""

import ast
import importlib.util
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from mmengine.config import Config

from .. import compat

# Read from the config's first level beside the Runner's own arguments; `strategy` and
# `init_weights_for_test_or_val` by MMEngine's FlexibleRunner alone.
READ = {
    'activation_checkpointing',
    'auto_scale_lr',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'init_weights_for_test_or_val',
    'made_by',
    'model_wrapper_cfg',
    'runner_type',
    'sharding',
    'strategy',
    'sync_bn',
    'tta',
    'tta_model',
    'tta_pipeline',
}
# A segmentor's test_cfg has no constructor that would refuse another key.
TEST_CFG = ('crop_size', 'keep_scores', 'mode', 'pamr', 'stride', 'window_batch')
RANDOMNESS = ('seed', 'diff_rank_seed', 'deterministic')  # of Runner.set_randomness
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def merge_options(cfg: Config, options: dict) -> None:
    """Merges `{'a.b': value}` into `cfg`. A key that the config does not have passes in a dict with
    a `type`, whose constructor checks it, among a DataLoader's or the Runner's arguments, and with
    a `+` before it.

    Raises:
        ValueError: an unknown key, naming the nearest; a variable of the file that was used up
            when it was read, naming the entries that hold its value; a word in the place of a dict.
    """
    check_options(cfg, options)
    cfg.merge_from_dict({key.removeprefix('+'): value for key, value in options.items()})


def check_options(cfg: Config, options: dict) -> None:
    """The errors of `merge_options`, without a change of `cfg`."""
    for key, value in options.items():
        above = key.rpartition('.')[0]
        while above and above not in options:
            above = above.rpartition('.')[0]
        if above and not isinstance(options[above], dict):
            raise ValueError(
                f'--cfg-options {above}={options[above]} leaves no {key}. Give one of the two.'
            )
        if not key.startswith('+'):
            _check_value(key, _check(cfg, key), value)


def read_config(path: Path) -> Config:
    """A config as its files have it, in a second: nothing that it names is imported."""
    compat.setup_configs()
    return Config.fromfile(path, import_custom_modules=False)


@cache
def arguments_of(package: str, file: str, name: str) -> frozenset[str]:
    """Names of the arguments that a class's constructor takes, from its source: importing torch
    and MMEngine's runner takes ten times as long as all that a wrong key needs."""
    spec = importlib.util.find_spec(package)
    tree = ast.parse((Path(spec.origin).parent / file).read_text(encoding='utf-8'))
    made = next(
        method.args
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == name
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == '__init__'
    )
    return frozenset(one.arg for one in (*made.posonlyargs, *made.args, *made.kwonlyargs)) - {
        'self'
    }


def _runner_arguments() -> frozenset[str]:
    return arguments_of('mmengine', 'runner/runner.py', 'Runner') - {'cfg'}


def _check_value(key: str, node, value) -> None:
    """That dicts are not replaced by anything but dicts or None, and lists of them by others; nor
    numbers by words, nor True and False, since Python takes all words for True."""
    a_word = isinstance(value, str)
    if a_word and isinstance(node, int | float):
        legal = 'True, False' if isinstance(node, bool) else 'a number'
        raise ValueError(
            f'--cfg-options {key}={value}: {key} is {node} in this config; legal: {legal}. If a '
            f'word is meant: +{key}={value}'
        )
    within, first = key, node
    if isinstance(node, list) and any(isinstance(one, dict) for one in node):
        values = value if isinstance(value, list | tuple) else [value]
        within, first = f'{key}.0', node[0]
    else:
        values = [value]
    if not isinstance(first, dict) or all(isinstance(one, dict | None) for one in values):
        return
    what = 'a dict' if within == key else f'a list of {len(node)} dicts'
    name = next(iter(first), 'NAME')
    raise ValueError(
        f'--cfg-options {key}={value}: {key} is {what} in this config. Give an option for each '
        f'entry of it, as {within}.{name}=VALUE, or write a config.'
    )


def _check(cfg: Config, key: str):
    """The entry of this key, None where there is none yet."""
    first, *rest = key.split('.')
    if first == 'launcher':
        raise ValueError(
            f'--cfg-options {key}: the launcher is an argument of its own, which would override '
            'it. Give --launcher pytorch, slurm or mpi; in Python, launcher=.'
        )
    arguments = _runner_arguments()
    if first not in arguments | READ:
        if first in cfg:
            raise ValueError(_used_up(cfg, key, first))
        raise ValueError(_unknown(key, first, arguments | READ))
    node, at = cfg.get(first), first
    for name in rest:
        if isinstance(node, list | tuple):
            if not (name.isdigit() and int(name) < len(node)):
                raise ValueError(
                    f"--cfg-options {key}: '{name}' is no index of {at}, which has "
                    f'{len(node)} entries, 0 to {len(node) - 1}'
                )
            node = node[int(name)]
        elif isinstance(node, dict) and name in node:
            node = node[name]
        elif isinstance(node, dict) and _may_add(node, at, name):
            return None
        elif node is None and at not in LOADERS:
            return None  # an entry of the Runner that this config leaves out
        else:
            legal = (
                [*node, *(TEST_CFG if _is_test_cfg(at) else ())] if isinstance(node, dict) else ()
            )
            raise ValueError(_unknown(key, name, legal, at))
        at = f'{at}.{name}'
    return node


def _may_add(node: dict, at: str, name: str) -> bool:
    if at in LOADERS:
        return name in arguments_of('torch', 'utils/data/dataloader.py', 'DataLoader')
    if _is_test_cfg(at):
        return name in TEST_CFG
    if at == 'randomness':
        return name in RANDOMNESS
    return 'type' in node or at in ('auto_scale_lr', 'optim_wrapper')


def _is_test_cfg(at: str) -> bool:
    return at.startswith('model.') and at.endswith('.test_cfg')


def _unknown(key: str, name: str, legal, at: str = '') -> str:
    near = get_close_matches(name, sorted(legal), 1, 0.4)
    where = f'{at} of this config' if at else 'a config'
    hint = f'Nearest: {at + "." if at else ""}{near[0]}. ' if near else ''
    return (
        f"--cfg-options {key}: there is no '{name}' in {where}, so it would change nothing. "
        f'{hint}To add it all the same: +{key}=VALUE'
    )


def _used_up(cfg: Config, key: str, first: str) -> str:
    paths = [
        path
        for root in cfg
        if root in READ or root in _runner_arguments()
        for path in _holders(cfg[root], cfg[first], root, first)
    ]
    more = f' and {len(paths) - 12} more' if len(paths) > 12 else ''
    hint = f'Override {" ".join(paths[:12])}{more} instead. ' if paths else ''
    weights = 'Or give --weights. ' if first == 'weights' else ''
    return (
        f"--cfg-options {key}: '{first}' is a variable of the config's file, used up when the "
        f'file was read, so it would change nothing. {hint}{weights}'
        'Or write a config with another value.'
    )


def _holders(node, value, at: str, name: str) -> list[str]:
    """Paths of the entries equal to `value`; of a string, only where the key has the variable's
    name, since words repeat."""
    if _same(node, value) and (not isinstance(value, str) or at.split('.')[-1] == name):
        return [at]
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    else:
        return []
    return [path for key, child in items for path in _holders(child, value, f'{at}.{key}', name)]


def _same(one, other) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return type(one) is type(other) and one == other
