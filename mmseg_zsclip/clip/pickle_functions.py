"""What a pickle of tensors may name: the functions that make tensors, arrays and plain values.

Each checks its arguments, and stands in `TABLE` under the name that the pickle calls it by;
`Unpickler.find_class` refuses every other name.
"""

import codecs
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

# bytes that tensors may have beyond what is stored (an expanded buffer)
_EXPANDED = 64 << 20
_NUMPY_CODE = re.compile('[?bBhHiIlLqQefdgFDG]|[biufcSU][0-9]{1,6}')
# attribute of torch: dtype of the elements
STORAGES = {
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


def need(ok: bool, what: str) -> None:
    """Raise DamagedPickle, saying `what` was found, unless `ok`."""
    if not ok:
        raise DamagedPickle(what)


def is_size(values) -> bool:
    """Whether these are whole numbers, 0 and above, in a tuple or a torch.Size."""
    return isinstance(values, (tuple, torch.Size)) and all(
        type(value) is int and value >= 0 for value in values
    )


def _encode(text: str, encoding: str) -> bytes:
    # how protocol 2 writes bytes
    need(isinstance(text, str) and encoding == 'latin1', 'bytes in another encoding than latin1')
    return codecs.encode(text, 'latin1')


def _ordered(*items) -> OrderedDict:
    need(
        not items or (len(items) == 1 and isinstance(items[0], (list, dict))),
        'an OrderedDict of something else than pairs',
    )
    return OrderedDict(*items)


def _counter(values: dict) -> Counter:
    need(isinstance(values, dict), 'a Counter of something else than a dict')
    return Counter(values)


def _set(items: list) -> set:
    # hashing nested tuples that share parts takes for ever
    need(
        isinstance(items, list) and not any(isinstance(item, tuple) for item in items),
        'a set of something else than plain values',
    )
    return set(items)


def _bytearray(data: bytes = b'') -> bytearray:
    need(isinstance(data, bytes), 'a bytearray of something else than bytes')
    return bytearray(data)


def _complex(real: float, imaginary: float) -> complex:
    return complex(real, imaginary)


def _size(values: tuple) -> torch.Size:
    need(is_size(values), f'a size of {type(values).__name__}')
    return torch.Size(values)


def _device(*names) -> torch.device:
    return torch.device(*names)


def _parameter(data: Tensor, requires_grad: bool, _hooks, _state=None) -> nn.Parameter:
    need(isinstance(data, Tensor), 'a parameter of something else than a tensor')
    grad = bool(requires_grad) and (data.is_floating_point() or data.is_complex())
    return nn.Parameter(data, requires_grad=grad)


class Expansion:
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
        need(isinstance(storage, Storage), 'a tensor without a storage')
        dtype = dtype or storage.dtype
        need(isinstance(dtype, torch.dtype), 'a tensor without a dtype')
        need(
            type(offset) is int
            and offset >= 0
            and is_size(size)
            and is_size(stride)
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
            need(
                reach <= available,
                f'a tensor of shape {tuple(size)} in a storage of {available} elements',
            )
        self.bytes += max(count - available, 0) * width
        need(
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
        need(isinstance(arguments, tuple), 'a tensor without arguments')
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

    need(
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

    need(
        isinstance(dtype, np.dtype) and isinstance(data, bytes) and dtype.itemsize == len(data) > 0,
        'a number of another size than its type',
    )
    return np.frombuffer(data, dtype)[0]


TABLE: Mapping[tuple[str, str], Callable] = MappingProxyType(
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
