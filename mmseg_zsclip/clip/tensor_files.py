"""Reads what torch.save and safetensors write, from anyone: no code runs,
no more memory than bytes.

Three containers: torch's zip archive (TorchScript included), the older one of torch < 1.6, and
safetensors. Every one has its declared sizes compared with the file before anything is read.
"""

import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .archive import DamagedArchive, ZipArchive
from .file_kinds import describe, is_pickle, is_safetensors
from .pickle_functions import DamagedPickle, RefusedPickle, ScriptObject, Storage, itemsize
from .torchscript import module_state
from .unpickler import Unpickler

# pickled logs of a long training take some ten MB
_PICKLE_LIMIT = 512 << 20
_HEADER_LIMIT = 32 << 20
_JSON_LIMIT = 8 << 20
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


class UnreadableFile(ValueError):
    """A file that is no whole, harmless file of tensors; one line: file, what it is, what to do."""


@dataclass(frozen=True)
class Trust:
    """Functions by (module, name) and state setters by type that a pickle may use, beside tensors
    and plain values. Each must check its arguments."""

    functions: Mapping
    states: Mapping


NOTHING = Trust({}, {})


def read_content(path: Path, trust: Trust = NOTHING):
    """What torch.save or safetensors wrote to `path`: tensors on the CPU, plain values.

    A TorchScript archive gives a `ScriptState`.

    Raises:
        FileNotFoundError: no such file.
        UnreadableFile: a folder, not readable, another kind of file, cut short, damaged, or one
            that holds objects.
    """
    if path.is_dir():
        raise UnreadableFile(f'{path} is a folder; give a file in it')
    if not path.is_file():
        raise FileNotFoundError(f'no such file: {path} (current directory {Path.cwd()})')
    size = path.stat().st_size
    try:
        with open(path, 'rb') as file:
            head = file.read(1024)
            file.seek(0)
            if head.startswith(b'PK\3\4'):
                return _read_zip(file, trust)
            if is_safetensors(head, size):
                return _read_safetensors(path, size)
            if is_pickle(head):
                return _read_legacy(file, size, trust)
    except PermissionError as error:
        raise UnreadableFile(f'{path} may not be read by this user: chmod it') from error
    except RefusedPickle as error:
        raise UnreadableFile(f'{path}: {error}. Nothing of it was run.') from error
    except MemoryError as error:
        raise UnreadableFile(
            f'{path} ({size} bytes) does not fit into the memory of this machine'
        ) from error
    except Exception as error:  # damaged bytes lead anywhere; the cause stays attached
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ''
        if not isinstance(error, (DamagedArchive, DamagedPickle)):
            reason = f'{type(error).__name__} {reason}'.strip()
        raise UnreadableFile(
            f'{path} ({size} bytes) cannot be read as weights: {reason}. It is damaged or '
            'incomplete: fetch or write it again'
        ) from error
    raise UnreadableFile(
        f'{path} ({size} bytes) cannot be read as weights: it is {describe(path)}. Give a file of '
        'torch.save (.pt, .pth, .bin) or .safetensors'
    )


@dataclass(frozen=True)
class ScriptState:
    """State dict of a TorchScript archive."""

    state: dict[str, Tensor]


def _read_zip(file, trust: Trust):
    archive = ZipArchive(file)
    if 'data.pkl' not in archive.entries:
        names = ', '.join(list(archive.entries)[:4]) or 'nothing'
        raise DamagedArchive(f'it is a zip archive of {names}, without the data.pkl of torch.save')
    if 'byteorder' in archive.entries and archive.read('byteorder', 16) == b'big':
        raise DamagedArchive('it was written on a big-endian machine')
    storages: dict[str, Storage] = {}

    def storage(pid: tuple) -> Storage:
        _, dtype, key, _, count = pid
        if key not in storages:
            raw = archive.read_tensor(f'data/{key}')
            _check_count(count, dtype, len(raw))
            storages[key] = Storage(raw, dtype)
        return Storage(storages[key].raw, dtype)

    data = archive.read('data.pkl', _PICKLE_LIMIT)
    content = Unpickler(data, storage, archive.size, trust.functions, trust.states).load()
    if 'constants.pkl' in archive.entries or isinstance(content, ScriptObject):
        return ScriptState(module_state(content, archive))
    return content


def _check_count(count: int, dtype: torch.dtype, stored: int) -> None:
    if not isinstance(dtype, torch.dtype) or type(count) is not int or count < 0:
        raise DamagedPickle('a storage of impossible type or size')
    if count * itemsize(dtype) != stored:
        raise DamagedPickle(f'a storage declares {count} x {dtype} but {stored} bytes are stored')


class _Bounded:
    """A file that is never asked for more than it has: `read` would first make room for that."""

    def __init__(self, file, size: int) -> None:
        self.file, self.size = file, size
        self.readline, self.peek = file.readline, file.peek

    def read(self, count: int) -> bytes:
        if count > 1 << 16 and count > self.size - self.file.tell():
            raise DamagedPickle(f'{count} bytes declared where the file ends')
        return self.file.read(count)

    def readinto(self, buffer) -> int:
        return self.file.readinto(buffer)


def _read_legacy(file, size: int, trust: Trust):
    """torch < 1.6: four pickles, then the storages' bytes one after the other."""
    storages: dict[str, Storage] = {}
    declared = 0

    def storage(pid: tuple) -> Storage:
        nonlocal declared
        _, dtype, key, _, count, *view = pid
        if view and view[0] is not None:
            raise DamagedPickle('a storage that is a view of another (torch < 0.4)')
        if key not in storages:
            if not isinstance(dtype, torch.dtype) or type(count) is not int or count < 0:
                raise DamagedPickle('a storage of impossible type or size')
            declared += count * itemsize(dtype)
            if declared > size:
                raise DamagedPickle(f'its tensors declare {declared} bytes, the file has {size}')
            raw = torch.empty(count * itemsize(dtype), dtype=torch.uint8)
            storages[key] = Storage(raw, dtype)
        return Storage(storages[key].raw, dtype)

    bounded = _Bounded(file, size)

    def load():
        return Unpickler(bounded, storage, size, trust.functions, trust.states).load()

    first = load()
    if isinstance(first, Mapping):  # numpy's arrays, of detectron2's model zoo
        raise RefusedPickle(
            'it is a dict that pickle wrote without torch.save. Where you trust its source, '
            'unpickle it, make tensors of its arrays and torch.save(dict(model=...)) them'
        )
    if first != _LEGACY_MAGIC:
        raise DamagedPickle('a pickle that torch.save did not write')
    if load() != 1001:
        raise DamagedPickle('an unknown version of torch.save')
    system = load()
    if not isinstance(system, dict) or system.get('little_endian') is not True:
        raise DamagedPickle('it was written on a big-endian machine')
    content, keys = load(), load()
    if not isinstance(keys, list) or set(keys) != set(storages):
        raise DamagedPickle('its list of storages differs from what its tensors need')
    for key in keys:
        found, count = storages[key], file.read(8)
        if len(count) < 8:
            raise DamagedPickle('it ends before its tensors')
        _check_count(struct.unpack('<q', count)[0], found.dtype, len(found.raw))
        if file.readinto(memoryview(found.raw.numpy())) != len(found.raw):
            raise DamagedPickle('it ends inside its tensors')
    return content


def _read_safetensors(path: Path, size: int) -> dict[str, Tensor]:
    with open(path, 'rb') as file:
        (length,) = struct.unpack('<Q', file.read(8))
        if length > _HEADER_LIMIT:
            raise DamagedArchive(
                f'its header declares {length} bytes; at most {_HEADER_LIMIT} are read'
            )
        header = json.loads(file.read(length))
    declared = [entry['shape'] for name, entry in header.items() if name != '__metadata__']
    # the smallest element is half a byte
    if sum(math.prod(shape) for shape in declared) > 2 * size:
        raise DamagedArchive(f'its tensors declare more than the {size} bytes of the file')
    from safetensors.torch import load_file

    return load_file(path)


def read_json(path: Path) -> dict:
    """A configuration beside weights.

    Raises:
        UnreadableFile: too large, no JSON, or no object at its top.
    """
    size = path.stat().st_size
    if size > _JSON_LIMIT:
        raise UnreadableFile(f'{path} has {size} bytes; a configuration has at most {_JSON_LIMIT}')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(
            f'{path} is no JSON ({error}); it is {describe(path)}. Fetch it again'
        ) from error
    if not isinstance(content, dict):
        raise UnreadableFile(f'{path} holds a {type(content).__name__}; expected a JSON object')
    return content


def inside(folder: Path, name: str) -> Path:
    """The path of a folder's own file, whatever its name claims.

    Raises:
        UnreadableFile: a name that leaves the folder, by '..', an absolute path or a link. A link
            to the blobs of huggingface_hub's cache, where `folder` is one of its snapshots, may.
    """
    path = folder / str(name)
    home = folder.resolve()
    homes = [home]
    if home.parent.name == 'snapshots':
        homes.append(home.parent.parent / 'blobs')
    if os.path.isabs(str(name)) or not any(path.resolve().is_relative_to(each) for each in homes):
        raise UnreadableFile(
            f'{folder}: {name!r} lies outside of this folder (at '
            f'{path.resolve()}); refused. Copy the file into the folder'
        )
    return path
