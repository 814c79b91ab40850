"""What mmcv compiles, in torch, so that mmcv-lite is enough.

`OPS` maps each name of mmcv's compiled module to the file here that defines a function of that
name and signature; a file is imported when mmcv asks for its op. Every other name is a function
that raises `MissingOpError` when it is called, so that `import mmcv.ops` works.
"""

import importlib
import importlib.util
from importlib.machinery import ModuleSpec
from types import ModuleType

from .missing import MissingOpError, missing_op

__all__ = ['OPS', 'MissingOpError', 'OpsModule', 'build_module', 'find_op']

_FILES = {
    'boxes': ['bbox_overlaps'],
    'build_info': ['get_compiler_version', 'get_compiling_cuda_version'],
    'carafe': [
        'carafe_forward',
        'carafe_backward',
        'carafe_naive_forward',
        'carafe_naive_backward',
    ],
    'deform_attn': ['ms_deform_attn_forward', 'ms_deform_attn_backward'],
    'deform_conv': [
        'deform_conv_forward',
        'deform_conv_backward_input',
        'deform_conv_backward_parameters',
        'modulated_deform_conv_forward',
        'modulated_deform_conv_backward',
    ],
    'focal': [
        'sigmoid_focal_loss_forward',
        'sigmoid_focal_loss_backward',
        'softmax_focal_loss_forward',
        'softmax_focal_loss_backward',
    ],
    'masked_conv': ['masked_im2col_forward', 'masked_col2im_forward'],
    'nms': ['nms', 'softnms', 'nms_match'],
    'psa_mask': ['psamask_forward', 'psamask_backward'],
    'roi': ['roi_align_forward', 'roi_align_backward', 'roi_pool_forward', 'roi_pool_backward'],
}
OPS = {op: file for file, ops in _FILES.items() for op in ops}


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
    return missing_op(name, OPS)
