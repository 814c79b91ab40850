"""Pickles of tensors and plain values, read without running anything of theirs.

The same on every version of torch: `weights_only=True` could be passed before torch 2.6
(CVE-2025-32434) and follows no bound. What a pickle may name is the table of `Unpickler.find_class`
and nothing else; each entry is a function that checks its arguments (`pickle_functions.py`).
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping

import torch

from .pickle_functions import (
    STORAGES,
    TABLE,
    DamagedPickle,
    Expansion,
    RefusedPickle,
    ScriptObject,
    Storage,
    is_size,
    need,
)

# an opcode is at least one byte and makes some 100 bytes of objects at most
_OPCODES, _BYTES_PER_OPCODE = 1_000_000, 64
_REPAIR = 'save its state dict alone, as .safetensors or with torch.save'


def _script_list(values: list, *_) -> list:
    return values


_LISTS = (
    'build_intlist',
    'build_tensorlist',
    'build_doublelist',
    'build_boollist',
    'build_tensor_from_id',
    'restore_type_tag',
)


class _Counted(dict):
    """Opcodes that are allowed, and no more of them than the file can account for."""

    def __init__(self, allowed: dict, limit: int) -> None:
        super().__init__(allowed)
        self.left = limit

    def __getitem__(self, code: int):
        self.left -= 1
        if self.left < 0:
            raise DamagedPickle('more objects than a file of this size can hold')
        return super().__getitem__(code)

    def __missing__(self, code: int):
        raise DamagedPickle(f'the byte {code:#04x} where a pickle of torch.save has none')


# no classes by registry number, no out-of-band buffers, no sizes without bytes behind them
_LEFT_OUT = (
    'EXT1',
    'EXT2',
    'EXT4',
    'INST',
    'OBJ',
    'NEWOBJ_EX',
    'PERSID',
    'NEXT_BUFFER',
    'READONLY_BUFFER',
    'BYTEARRAY8',
)
_ALLOWED = {
    code: method
    for code, method in pickle._Unpickler.dispatch.items()
    if code not in {getattr(pickle, name)[0] for name in _LEFT_OUT}
}


class Unpickler(pickle._Unpickler):
    """Reads one pickle.

    Args:
        data: its bytes, and what may follow them.
        storage: makes the `Storage` of a persistent id (a tuple).
        size: bytes of the whole file.
        more: further functions by (module, name); each must check its arguments.
        states: what sets the state of an object, by its type.

    `load` raises `RefusedPickle` and `DamagedPickle`, and whatever damaged bytes lead to.
    """

    def __init__(
        self,
        data: 'bytes | io.BufferedIOBase',
        storage: Callable[[tuple], Storage],
        size: int,
        more: Mapping | None = None,
        states: Mapping | None = None,
    ) -> None:
        super().__init__(io.BytesIO(data) if isinstance(data, bytes) else data, encoding='utf-8')
        self.storage = storage
        expansion = Expansion()
        rebuild = dict.fromkeys(
            ('_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_tensor_v3'), expansion.tensor
        )
        self.table = {
            **TABLE,
            **{('torch._utils', name): make for name, make in rebuild.items()},
            ('torch._tensor', '_rebuild_from_type_v2'): expansion.of_type,
            **(more or {}),
        }
        self.states = dict(states or {})
        self.functions: list[Callable] = []
        self.dispatch = _Counted(
            {
                **_ALLOWED,
                pickle.REDUCE[0]: Unpickler.load_reduce,
                pickle.NEWOBJ[0]: Unpickler.load_newobj,
                pickle.BUILD[0]: Unpickler.load_build,
                pickle.SETITEM[0]: Unpickler.load_setitem,
                pickle.SETITEMS[0]: Unpickler.load_setitems,
                pickle.APPEND[0]: Unpickler.load_append,
                pickle.APPENDS[0]: Unpickler.load_appends,
            },
            _OPCODES + size // _BYTES_PER_OPCODE,
        )

    def persistent_load(self, pid) -> Storage:
        if not isinstance(pid, tuple) or not pid or pid[0] not in ('storage', b'storage'):
            raise DamagedPickle('a reference that is none to a storage')
        return self.storage(pid)

    def find_class(self, module: str, name: str):
        module = 'builtins' if module == '__builtin__' else module
        if module == 'torch' and name in STORAGES:
            return STORAGES[name]
        if (module, name) in (('torch', 'UntypedStorage'), ('torch.storage', 'UntypedStorage')):
            return torch.uint8
        if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        found = self.table.get((module, name))
        if module.split('.')[0] == '__torch__':
            found = ScriptClass(f'{module}.{name}')
        elif module == 'torch.jit._pickle' and name in _LISTS:
            found = _script_list
        if found is None:
            raise RefusedPickle(
                'it holds Python objects, which are refused (weights_only=True) because loading '
                f'them would run their code ({module}.{name}): {_REPAIR}'
            )
        self.functions.append(found)
        return found

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        known = any(function is each for each in self.functions)
        if not known or not isinstance(arguments, tuple):
            raise RefusedPickle(f'it calls something that is no function of torch: {_REPAIR}')
        self.stack[-1] = function(*arguments)

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        kind = self.stack[-1]
        if arguments != () or not any(kind is each for each in self.functions):
            raise RefusedPickle(f'it makes an object of an unknown class: {_REPAIR}')
        self.stack[-1] = kind()

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, ScriptObject):
            target.attributes = state if isinstance(state, dict) else {'': state}
        elif type(target) is OrderedDict:
            # PyTorch's versions of modules; other attributes could hide the dict's methods
            found = state.get('_metadata') if isinstance(state, dict) else None
            if isinstance(found, dict):
                target._metadata = found
        elif type(target) in self.states:
            self.states[type(target)](target, state)
        else:
            self._build_numpy(target, state)

    def _build_numpy(self, target, state) -> None:
        import numpy as np

        if isinstance(target, np.dtype):
            order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
            need(order in ('<', '|', '='), 'numbers in an unknown byte order')
            return  # the code that made it says the rest
        if type(target) is not np.ndarray:
            raise RefusedPickle(f'it sets the state of a {type(target).__name__}: {_REPAIR}')
        need(
            isinstance(state, tuple)
            and len(state) == 5
            and is_size(state[1])
            and isinstance(state[2], np.dtype)
            and isinstance(state[4], bytes),
            'an array of impossible shape',
        )
        target.__setstate__(state)  # compares the bytes with the shape

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill(self.stack[-1], [(key, value)])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._fill(self.stack[-1], list(zip(items[::2], items[1::2], strict=True)))

    def _fill(self, target, pairs: list) -> None:
        need(isinstance(target, dict), 'an entry set in something else than a dict')
        target.update(pairs)

    def load_append(self) -> None:
        value = self.stack.pop()
        self._extend(self.stack[-1], [value])

    def load_appends(self) -> None:
        self._extend(None, self.pop_mark())

    def _extend(self, target, values: list) -> None:
        target = self.stack[-1] if target is None else target
        need(type(target) is list, 'an item added to something else than a list')
        target.extend(values)


class ScriptClass:
    """Makes `ScriptObject`s of one class."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self) -> ScriptObject:
        return ScriptObject(self.kind)
