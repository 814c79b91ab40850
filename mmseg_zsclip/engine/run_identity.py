"""What makes a training run the one that it is: its id,
and the part of its config that decides it."""

import json
import time
import uuid
from pathlib import Path

from ..files import write_json

RUN_FILE = 'run.json'
# Not here, so free to change when a run goes on: tests, validation, hooks, logs, launcher.
SECTIONS = (
    'model',
    'data_preprocessor',
    'train_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'randomness',
    'auto_scale_lr',
)
FREE = {
    'max_iters',
    'max_epochs',
    'val_interval',
    'val_begin',
    'dynamic_intervals',
    'num_workers',
    'persistent_workers',
    'prefetch_factor',
    'pin_memory',
    'data_root',
    'backend_args',
    'file_client_args',
    'test_cfg',
    'verbose',
}
LENGTHS = {'begin', 'end', 'T_max', 'total_iters', 'total_steps'}  # of a schedule
FILES = {'weights', 'checkpoint', 'pretrained'}  # their folders may have moved
TRAINING_HOOKS = ('EMAHook', 'SelfTrainingHook')


class RunError(RuntimeError):
    """A run that cannot start or go on; the message is one line with the way out."""


def run_config(cfg) -> dict[str, str]:
    """The settings that decide a training, by dotted key, each value as JSON.

    Folders of data and of weights, numbers of workers, the length of the training and all that
    concerns validation, tests and logs are left out.
    """
    flat = {}
    resolved = cfg.to_dict()
    for section in SECTIONS:
        _flatten(resolved.get(section), section, flat)
    hooks = [
        hook
        for hook in resolved.get('custom_hooks') or []
        if isinstance(hook, dict) and str(hook.get('type')).split('.')[-1] in TRAINING_HOOKS
    ]
    _flatten(hooks, 'custom_hooks', flat)
    if flat.get('randomness.seed') == 'null':
        del flat['randomness.seed']
    return flat


def _flatten(value, key: str, flat: dict) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            free = name in FREE or (key.startswith('param_scheduler') and name in LENGTHS)
            if not free:
                if name in FILES and isinstance(inner, str):
                    inner = Path(inner).name
                _flatten(inner, f'{key}.{name}', flat)
    elif isinstance(value, list | tuple) and any(isinstance(one, dict) for one in value):
        for i, inner in enumerate(value):
            _flatten(inner, f'{key}.{i}', flat)
    elif value is not None and value != []:
        flat[key] = json.dumps(value, default=str, sort_keys=True)


def differences(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """'key: theirs -> ours' of every key in which two `run_config` differ."""
    keys = [
        key
        for key in sorted({*theirs, *ours})
        if theirs.get(key) != ours.get(key)
        # a seed that was left out is any seed
        and not (key == 'randomness.seed' and (key not in theirs or key not in ours))
    ]
    return [f'{key}: {_short(theirs.get(key))} -> {_short(ours.get(key))}' for key in keys]


def few(items: list[str], limit: int = 4) -> str:
    """The first of them on one line, and how many more there are; 'none' of none."""
    more = f'; and {len(items) - limit} more' if len(items) > limit else ''
    return '; '.join(items[:limit]) + more or 'none'


def _short(value: str | None, limit: int = 60) -> str:
    if value is None:
        return 'nothing'
    return value if len(value) <= limit else value[: limit - 3] + '...'


def new_run(config: dict[str, str]) -> dict:
    """A run that begins now."""
    return dict(id=uuid.uuid4().hex, begun=time.strftime('%Y-%m-%d %H:%M:%S'), config=config)


def write_run(folder: Path, run: dict) -> None:
    """Notes in a folder which run is in it, from its first step on: a run that is killed before it
    saves must not be taken for the one whose checkpoints are still there."""
    write_json(folder / RUN_FILE, run)


def read_run(folder: Path) -> dict | None:
    """The run that was begun last in a folder; None where none is noted.

    Raises:
        RunError: the note cannot be read.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        return None
    try:
        run = json.loads(path.read_text())
        return dict(id=str(run['id']), begun=str(run['begun']), config=dict(run['config']))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f'{path} does not say which run is in the folder ({error!r}). Delete it to '
            'go on from the newest checkpoint there.'
        ) from error
