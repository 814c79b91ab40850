"""The state dict of a TorchScript archive, read as data: its code is text here and never runs.

`torch.jit.load` runs a class's `__setstate__`, which can write any file.
"""

import re

from torch import Tensor

from .archive import DamagedArchive, ZipArchive
from .pickle_functions import ScriptObject

_CODE_LIMIT = 16 << 20
_CLASS = re.compile(r'^class (\w+)\(', re.MULTILINE)
_NAMES = re.compile(r'^  __(?:parameters|buffers)__ = \[(.*)\]$', re.MULTILINE)
_NAME = re.compile(r'"([^"]*)"')
_MODULE_LIMIT, _DEPTH_LIMIT = 200_000, 64


class _Declared:
    """Which attributes of a class are parameters or buffers, from the archive's source text."""

    def __init__(self, archive: ZipArchive) -> None:
        self.archive = archive
        self.known: dict[str, set[str] | None] = {}

    def of(self, kind: str) -> set[str] | None:
        """Names of the tensors of the state, None where the archive has no text of the class."""
        if kind not in self.known:
            module, _, _name = kind.rpartition('.')
            self._read(module, f'code/{module.replace(".", "/")}.py')
            self.known.setdefault(kind, None)
        return self.known[kind]

    def _read(self, module: str, entry: str) -> None:
        if entry not in self.archive.entries:
            return
        text = self.archive.read(entry, _CODE_LIMIT).decode('utf-8', errors='replace')
        starts = list(_CLASS.finditer(text))
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            body = text[start.end() : end.start() if end else len(text)]
            lists = _NAMES.findall(body)
            self.known[f'{module}.{start[1]}'] = {
                name for names in lists for name in _NAME.findall(names)
            }


def _refuse_code(archive: ZipArchive) -> None:
    # nothing would run here, but who made such an archive meant another reader to
    for name in archive.entries:
        if (
            name.startswith('code/')
            and name.lower().endswith('.py')
            and (b'__setstate__' in archive.read(name, _CODE_LIMIT))
        ):
            raise DamagedArchive(
                f'a TorchScript archive that would run code when loaded ({name} '
                'defines __setstate__); refused. Use a state dict'
            )


def module_state(root: ScriptObject, archive: ZipArchive) -> dict[str, Tensor]:
    """Tensors by name, equal to `torch.jit.load(path).state_dict()`.

    Raises:
        DamagedArchive: no module at the root, modules that hold one another without end, or
            source text that other readers would run.
    """
    if not isinstance(root, ScriptObject):
        raise DamagedArchive(f'a TorchScript archive of a {type(root).__name__}, not of a module')
    _refuse_code(archive)
    declared, state, seen = _Declared(archive), {}, 0
    # explicit stack: a hostile archive nests deeper than Python's own
    waiting = [(root, '', 0)]
    while waiting:
        module, prefix, depth = waiting.pop()
        seen += 1
        if depth > _DEPTH_LIMIT or seen > _MODULE_LIMIT:
            raise DamagedArchive('its modules hold one another without end')
        names = declared.of(module.kind)
        children = []
        for name, value in module.attributes.items():
            if isinstance(value, Tensor) and (names is None or name in names):
                state[f'{prefix}{name}'] = value.detach()
            elif isinstance(value, ScriptObject):
                children.append((value, f'{prefix}{name}.', depth + 1))
        waiting += reversed(children)
    return state
