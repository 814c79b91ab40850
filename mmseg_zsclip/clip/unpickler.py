"""Pickles of tensors and plain values, read without running anything of theirs.

The same on every version of torch: `weights_only=True` could be passed before torch 2.6
(CVE-2025-32434) and follows no bound. What a pickle may name is the table of `Unpickler.find_class`
and nothing else; each entry is a function of this file that checks its arguments.
"""

import codecs
import io
import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

# an opcode is at least one byte and makes some 100 bytes of objects at most
_OPCODES, _BYTES_PER_OPCODE = 1_000_000, 64
# bytes that tensors may have beyond what is stored (an expanded buffer)
_EXPANDED = 64 << 20
_NUMPY_CODE = re.compile('[?bBhHiIlLqQefdgFDG]|[biufcSU][0-9]{1,6}')
_STORAGES = {
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
    'ComplexDoubleStorage': torch.complex128,
    'ComplexFloatStorage': torch.complex64,
}
_REPAIR = 'save its state dict alone, as .safetensors or with torch.save'


class RefusedPickle(ValueError):
    """The pickle asks for something that is neither a tensor nor a plain value."""


class DamagedPickle(ValueError):
    """The bytes are no pickle that torch.save writes."""


class Storage:
    """Elements that tensors are views of: dtype (None: bytes) and a (N,) uint8 tensor."""

    def __init__(self, raw: Tensor, dtype: torch.dtype | None) -> None:
        self.raw, self.dtype = raw, dtype


class ScriptObject:
    """An object of a TorchScript archive: its class's name and its attributes, no code."""

    def __init__(self, kind: str) -> None:
        self.kind, self.attributes = kind, {}


def itemsize(dtype: torch.dtype) -> int:
    """Bytes of an element (torch 2.1 has it, older ones only in tensors)."""
    return torch.empty(0, dtype=dtype).element_size()


def _need(ok: bool, what: str) -> None:
    if not ok:
        raise DamagedPickle(what)


def _is_size(values) -> bool:
    return isinstance(values, (tuple, torch.Size)) and all(
        type(value) is int and value >= 0 for value in values
    )


def _encode(text: str, encoding: str) -> bytes:
    # how protocol 2 writes bytes
    _need(isinstance(text, str) and encoding == 'latin1', 'bytes in another encoding than latin1')
    return codecs.encode(text, 'latin1')


def _ordered(*items) -> OrderedDict:
    _need(
        not items or (len(items) == 1 and isinstance(items[0], (list, dict))),
        'an OrderedDict of something else than pairs',
    )
    return OrderedDict(*items)


def _counter(values: dict) -> Counter:
    _need(isinstance(values, dict), 'a Counter of something else than a dict')
    return Counter(values)


def _set(items: list) -> set:
    # hashing nested tuples that share parts takes for ever
    _need(
        isinstance(items, list) and not any(isinstance(item, tuple) for item in items),
        'a set of something else than plain values',
    )
    return set(items)


def _bytearray(data: bytes = b'') -> bytearray:
    _need(isinstance(data, bytes), 'a bytearray of something else than bytes')
    return bytearray(data)


def _complex(real: float, imaginary: float) -> complex:
    return complex(real, imaginary)


def _size(values: tuple) -> torch.Size:
    _need(_is_size(values), f'a size of {type(values).__name__}')
    return torch.Size(values)


def _device(*names) -> torch.device:
    return torch.device(*names)


def _parameter(data: Tensor, requires_grad: bool, _hooks, _state=None) -> nn.Parameter:
    _need(isinstance(data, Tensor), 'a parameter of something else than a tensor')
    grad = bool(requires_grad) and (data.is_floating_point() or data.is_complex())
    return nn.Parameter(data, requires_grad=grad)


class _Expansion:
    """Bytes that tensors of one file claim beyond their storages."""

    def __init__(self) -> None:
        self.bytes = 0

    def tensor(
        self,
        storage: Storage,
        offset: int,
        size,
        stride,
        requires_grad=False,
        _hooks=None,
        dtype=None,
        _metadata=None,
    ) -> Tensor:
        _need(isinstance(storage, Storage), 'a tensor without a storage')
        dtype = dtype or storage.dtype
        _need(isinstance(dtype, torch.dtype), 'a tensor without a dtype')
        _need(
            type(offset) is int
            and offset >= 0
            and _is_size(size)
            and _is_size(stride)
            and len(size) == len(stride),
            'a tensor of impossible shape',
        )
        width = itemsize(dtype)
        available = len(storage.raw) // width
        count = 1
        for length in size:
            count *= length
        reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
        if count:
            _need(
                reach <= available,
                f'a tensor of shape {tuple(size)} in a storage of {available} elements',
            )
        self.bytes += max(count - available, 0) * width
        _need(
            self.bytes <= _EXPANDED,
            f'tensors that repeat {available} stored elements {count} times in all',
        )
        out = torch.empty(0, dtype=dtype)
        if count:
            out.set_(storage.raw.untyped_storage(), offset, tuple(size), tuple(stride))
        else:
            out = out.reshape(tuple(size))
        out.requires_grad_(bool(requires_grad) and (out.is_floating_point() or out.is_complex()))
        return out

    def of_type(self, _function, kind, arguments, _state) -> Tensor:
        """A tensor that carried Python attributes, which are dropped."""
        _need(isinstance(arguments, tuple), 'a tensor without arguments')
        out = self.tensor(*arguments)
        return (
            nn.Parameter(out, requires_grad=out.requires_grad) if kind is _KIND_PARAMETER else out
        )


def _kind_tensor(*_):
    raise DamagedPickle('a tensor made in an unknown way')


def _kind_parameter(*_):
    raise DamagedPickle('a parameter made in an unknown way')


_KIND_PARAMETER = _kind_parameter


def _dtype(code: str, *_align_copy):
    import numpy as np

    _need(
        isinstance(code, str) and _NUMPY_CODE.fullmatch(code) is not None,
        f'an array of type {str(code)[:20]!r}',
    )
    return np.dtype(code)


def _array(*_):
    import numpy as np

    return np.empty(0)


def _numpy_class(*_):
    raise DamagedPickle('an array made in an unknown way')


def _scalar(dtype, data: bytes):
    import numpy as np

    _need(
        isinstance(dtype, np.dtype) and isinstance(data, bytes) and dtype.itemsize == len(data) > 0,
        'a number of another size than its type',
    )
    return np.frombuffer(data, dtype)[0]


def _script_list(values: list, *_) -> list:
    return values


_TABLE: Mapping[tuple[str, str], Callable] = MappingProxyType(
    {
        ('collections', 'OrderedDict'): _ordered,
        ('collections', 'Counter'): _counter,
        ('_codecs', 'encode'): _encode,
        ('builtins', 'set'): _set,
        ('builtins', 'bytearray'): _bytearray,
        ('builtins', 'complex'): _complex,
        ('torch', 'Size'): _size,
        ('torch', 'device'): _device,
        ('torch', 'Tensor'): _kind_tensor,
        ('torch.nn.parameter', 'Parameter'): _kind_parameter,
        ('torch._utils', '_rebuild_parameter'): _parameter,
        ('torch._utils', '_rebuild_parameter_with_state'): _parameter,
        ('numpy', 'dtype'): _dtype,
        ('numpy', 'ndarray'): _numpy_class,
        **{
            (f'numpy.{core}.multiarray', name): function
            for core in ('core', '_core')
            for name, function in (('_reconstruct', _array), ('scalar', _scalar))
        },
    }
)
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
        expansion = _Expansion()
        rebuild = dict.fromkeys(
            ('_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_tensor_v3'), expansion.tensor
        )
        self.table = {
            **_TABLE,
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
        if module == 'torch' and name in _STORAGES:
            return _STORAGES[name]
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
            _need(order in ('<', '|', '='), 'numbers in an unknown byte order')
            return  # the code that made it says the rest
        if type(target) is not np.ndarray:
            raise RefusedPickle(f'it sets the state of a {type(target).__name__}: {_REPAIR}')
        _need(
            isinstance(state, tuple)
            and len(state) == 5
            and _is_size(state[1])
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
        _need(isinstance(target, dict), 'an entry set in something else than a dict')
        target.update(pairs)

    def load_append(self) -> None:
        value = self.stack.pop()
        self._extend(self.stack[-1], [value])

    def load_appends(self) -> None:
        self._extend(None, self.pop_mark())

    def _extend(self, target, values: list) -> None:
        target = self.stack[-1] if target is None else target
        _need(type(target) is list, 'an item added to something else than a list')
        target.extend(values)


class ScriptClass:
    """Makes `ScriptObject`s of one class."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self) -> ScriptObject:
        return ScriptObject(self.kind)
