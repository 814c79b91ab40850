"""What plugs into MMEngine's runner."""
from .hooks import StrictLoadHook
from .optim import StrictOptimWrapperConstructor
from .progress import ProgressHook

__all__ = ['ProgressHook', 'StrictLoadHook', 'StrictOptimWrapperConstructor']
