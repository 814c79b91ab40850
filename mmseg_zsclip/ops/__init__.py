"""What mmcv compiles, in torch, so that mmcv-lite is enough.

`OPS` maps each name of mmcv's compiled module to the file here that defines a function of that
name; files are imported when mmcv asks for the op. Every other name is an op that raises
`MissingOpError` when it is called, so that `import mmcv.ops` works.
"""
import importlib
import importlib.util
from importlib.machinery import ModuleSpec
from types import ModuleType

OPS: dict[str, str] = {}


class MissingOpError(NotImplementedError):
    """An op of the compiled mmcv that we do not have was called."""


class OpsModule(ModuleType):
    """Stands where mmcv's compiled extension would be; resolves ops by name on first use."""

    def __getattr__(self, name: str):
        if name.startswith('_'):
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        op = find_op(name)
        setattr(self, name, op)
        return op


class _Loader:
    """Gives the module a spec, so that importlib and pkgutil see an ordinary module."""

    @staticmethod
    def create_module(spec: ModuleSpec) -> OpsModule:
        return OpsModule(spec.name, __doc__)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        pass


def build_module(name: str = 'mmcv._ext') -> OpsModule:
    """Return a module named `name` with every op of mmcv's compiled extension."""
    spec = ModuleSpec(name, _Loader(), origin=__file__)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = __file__
    return module


def find_op(name: str):
    """Return the function that computes the op `name`, or one that raises `MissingOpError`."""
    if name in OPS:
        return getattr(importlib.import_module(f'{__name__}.{OPS[name]}'), name)
    return _missing(name)


def _missing(name: str):
    def op(*args, **kwargs):
        from mmseg_zsclip.compat import FULL_MMCV
        raise MissingOpError(
            f'mmcv op {name!r} is needed here, but mmcv-lite has no compiled ops and '
            f'mmseg_zsclip.ops provides only {", ".join(sorted(OPS))}. '
            f'Install the full mmcv: {FULL_MMCV}')

    op.__name__ = op.__qualname__ = name
    return op
