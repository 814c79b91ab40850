"""The one reader of every checkpoint that enters: test, --resume, load_from, init_cfg, init_model.

Nothing of a checkpoint is ever executed: its pickle may hold tensors and plain values only, and its
strings stay strings. mmengine's Runner executes `meta['config']` and its inferencers build models
from `meta['cfg']`; the first is dropped here, the second renamed to `meta['config_text']`.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import torch
from torch import Tensor

from .clip.tensor_files import ScriptState, Trust, UnreadableFile, read_content

# containers inside of one another; training's own checkpoints have 6
_DEPTH = 50
_WANTED = 'Give the .pth that training wrote'


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; one line: file, what it is, what to give."""


class MissingPart(CheckpointError, KeyError):
    """What a caller needs is not in the checkpoint."""

    __str__ = ValueError.__str__


class _Part(dict):
    """A dict that says what its checkpoint lacks."""

    source = where = ''

    def __missing__(self, key):
        raise MissingPart(
            f'{self.source} has no {self.where}{key!r}: it is a state dict or of another program, '
            f'which can be tested or given as load_from, but not resumed. {_WANTED}'
        )

    def __reduce__(self):  # so that what was read can be saved again, and read again
        return OrderedDict, (), None, None, iter(self.items())


def _part(content: Mapping, source: str, where: str = '') -> _Part:
    out = _Part(content)
    out.source, out.where = source, where
    return out


def read_checkpoint(source: 'str | Path', map_location='cpu') -> dict:
    """A trained checkpoint or a state dict, from a path, an https URL or a model-zoo name.

    Args:
        source: path; https://...; http://... only with a digest (`...#sha256=HEX`, or eight digits
            of it in the name, `name-1a2b3c4d.pth`); torchvision://, open-mmlab://, mmcls://.
        map_location: device of the tensors; None leaves them on the CPU.

    Returns: what the file holds. `meta['config']` is dropped and `meta['cfg']` renamed to
        `meta['config_text']`, since mmengine executes them; recorded paths keep their file name,
        in the checkpoint's own folder. A missing key raises `MissingPart`.

    Raises:
        CheckpointError: not such a file, damaged, with Python objects, NaN, nested without end, or
            of CLIP alone.
        FileNotFoundError: no such file.
    """
    path = _local(str(source))
    try:
        content = read_content(path, _mmengine())
    except UnreadableFile as error:
        raise CheckpointError(f'{error}. {_WANTED}') from error
    if isinstance(content, ScriptState):
        raise CheckpointError(
            f"{path} is a TorchScript archive, as OpenAI's CLIP weights are, not "
            f'a checkpoint. {_WANTED}; CLIP weights go to --weights'
        )
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path} holds a {type(content).__name__}, not a checkpoint. {_WANTED}'
        )
    _check(content, path)
    return _moved(_disarmed(content, path), map_location)


def _mmengine() -> Trust:
    from mmengine.logging import HistoryBuffer

    from .compat import _statistic

    def buffer():
        return HistoryBuffer.__new__(HistoryBuffer)

    def plain(values: dict) -> dict:
        return dict(values)

    def state(target, values) -> None:
        known = {
            'max_length',
            '_max_length',
            '_log_history',
            '_count_history',
            'statistics_methods',
            '_statistics_methods',
        }
        if not isinstance(values, dict) or not set(values) <= known:
            raise UnreadableFile('a HistoryBuffer of another make')
        target.__setstate__(values)

    return Trust(
        {
            ('mmengine.logging.history_buffer', 'HistoryBuffer'): _Buffer(buffer),
            ('mmengine.config.config', 'ConfigDict'): plain,
            ('builtins', 'getattr'): lambda owner, name: _statistic(
                HistoryBuffer if isinstance(owner, _Buffer) else owner, name
            ),
        },
        {HistoryBuffer: state},
    )


class _Buffer:
    def __init__(self, make) -> None:
        self.make = make

    def __call__(self):
        return self.make()


def _check(content: dict, path: Path) -> None:
    _check_depth(content, path)
    state = content.get('state_dict', content)
    for key in ('meta', 'message_hub', 'state_dict'):
        if key in content and not isinstance(content[key], dict):
            raise CheckpointError(
                f'{path}: its {key} is a {type(content[key]).__name__}, expected a dict. {_WANTED}'
            )
    if (
        not state
        or not all(isinstance(key, str) for key in state)
        or not any(isinstance(value, Tensor) for value in state.values())
    ):
        keys = ', '.join(str(key)[:30] for key in list(content)[:5]) or 'nothing'
        raise CheckpointError(f'{path} holds no tensors but {keys}. {_WANTED}')
    names = set(state)
    if 'meta' not in content and (
        {'visual.conv1.weight', 'logit_scale'} <= names
        or any(name.startswith('vision_model.') for name in names)
    ):
        raise CheckpointError(
            f'{path} holds CLIP weights, not a trained checkpoint. {_WANTED}; '
            'CLIP weights go to --weights'
        )
    for name, value in state.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            check_finite(value, name, path)


def _check_depth(content, path: Path) -> None:
    """Whoever copies or moves what a file holds does so recursively, and a list may hold itself."""
    waiting, deepest = [(content, 0)], {}
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, dict | list | tuple) or depth <= deepest.get(id(node), -1):
            continue
        if depth > _DEPTH:
            raise CheckpointError(
                f'{path} holds a {type(node).__name__} in more than {_DEPTH} '
                f'others, or in itself, as no training writes. {_WANTED}'
            )
        deepest[id(node)] = depth
        children = node.values() if isinstance(node, dict) else node
        waiting += [(child, depth + 1) for child in children]


def check_finite(value: Tensor, name: str, path: 'Path | str') -> None:
    """Raise CheckpointError naming a tensor that holds NaN or infinity; an attention mask is made
    of -infinity."""
    if name.endswith('mask'):
        value = value[value != -torch.inf]
    if value.numel() and not torch.isfinite(value.float().sum()):
        bad = int((~torch.isfinite(value)).sum())
        if bad:
            raise CheckpointError(
                f'{path}: {name} holds {bad} NaN or infinite of {value.numel()} '
                'values: the training that wrote it diverged. Take an earlier '
                'checkpoint'
            )


def _disarmed(content: dict, path: Path) -> dict:
    content = _part(content, str(path))
    if 'meta' in content:
        meta = _part(content['meta'], str(path), 'meta: ')
        meta.pop('config', None)
        if 'cfg' in meta:
            meta['config_text'] = meta.pop('cfg')
        content['meta'] = meta
    hub = content.get('message_hub')
    if isinstance(hub, dict) and isinstance(hub.get('runtime_info'), dict):
        hub['runtime_info'] = _own_files(hub['runtime_info'], path)
    return content


def _own_files(info: dict, path: Path) -> dict:
    """What a run recorded of itself, without the config and with its own checkpoints' names alone:
    mmengine removes old ones, wherever a file says that they are."""
    out = {}
    for key, value in info.items():
        if str(key).startswith('best_ckpt') or key == 'last_ckpt':
            name = PurePosixPath(str(value)).name
            start = '' if key == 'last_ckpt' else 'best_'
            if not (name.startswith(start) and name.endswith(path.suffix)) or '\0' in name:
                continue
            value = str(path.parent / name)
        elif key == 'keep_ckpt_ids' and not (
            isinstance(value, list) and all(type(step) is int for step in value)
        ):
            continue
        if key != 'cfg':
            out[key] = value
    return out


def _moved(value, device, done: 'dict | None' = None):
    """Every tensor on another device; what stands at two places is moved once."""
    if device in (None, 'cpu') or device == torch.device('cpu') or callable(device):
        return value
    done = {} if done is None else done
    if id(value) in done:
        return done[id(value)][1]
    out = value
    if isinstance(value, Tensor):
        out = value.to(device)
    elif isinstance(value, dict):
        for key in value:
            value[key] = _moved(value[key], device, done)
    elif isinstance(value, list):
        value[:] = [_moved(item, device, done) for item in value]
    elif type(value) is tuple:
        out = tuple(_moved(item, device, done) for item in value)
    done[id(value)] = value, out  # with `value` kept, its id is nobody else's
    return out


def _local(source: str) -> Path:
    scheme = source.split('://', 1)[0].lower() if '://' in source else ''
    if scheme in ('http', 'https'):
        return _fetched(source)
    if scheme:
        raise CheckpointError(
            f'{source}: {scheme}:// is not read, since its reader runs what a '
            'file says. Download the file and give its path'
        )
    return Path(source).expanduser()


def _fetched(url: str) -> Path:
    from .clip.download import DownloadError, cache_dir, fetch, published_sha256

    address, _, fragment = url.partition('#')
    found = re.fullmatch('sha256=([0-9a-fA-F]{64})', fragment)
    digest = found[1].lower() if found else published_sha256(address)
    if fragment and not found:
        raise CheckpointError(f'{url}: #{fragment} is no digest; write #sha256= and 64 hex digits')
    if address.lower().startswith('http://') and not digest:
        raise CheckpointError(
            f'{url}: http:// without a digest is refused, since anyone on the '
            'way can change the file. Use https://, or add #sha256=HEX'
        )
    name = PurePosixPath(urlsplit(address).path).name or 'checkpoint'
    folder = cache_dir() / 'checkpoints' / hashlib.sha256(url.encode()).hexdigest()[:16]
    try:
        return fetch(address, folder / name, digest)
    except DownloadError as error:
        raise CheckpointError(str(error)) from error


def _load_from_file(filename, map_location=None):
    return read_checkpoint(filename, map_location)


def _load_from_zoo(filename, map_location=None):
    from mmengine.runner import checkpoint as zoo

    scheme, name = filename.split('://', 1)
    if scheme == 'mmcls':
        url = zoo.get_mmcls_models().get(name)
    elif scheme in ('torchvision', 'modelzoo'):
        url = zoo.get_torchvision_models().get(name)
    else:
        url = zoo.get_external_models().get(zoo.get_deprecated_model_names().get(name, name))
    if url is None:
        raise CheckpointError(f'{filename}: no such model in the table of {scheme}://')
    content = read_checkpoint(url, map_location)
    return zoo._process_mmcls_checkpoint(content) if scheme == 'mmcls' else content


def register() -> None:
    """Make every loader of mmengine's table this one."""
    from mmengine.runner.checkpoint import CheckpointLoader

    CheckpointLoader.register_scheme(
        ['', 'http://', 'https://', 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://'],
        _load_from_file,
        force=True,
    )
    CheckpointLoader.register_scheme(
        ['modelzoo://', 'torchvision://', 'open-mmlab://', 'openmmlab://', 'mmcls://'],
        _load_from_zoo,
        force=True,
    )
