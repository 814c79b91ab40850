"""What plugs into MMEngine's runner."""
from .hooks import StrictLoadHook
from .optim import StrictOptimWrapperConstructor

__all__ = ['StrictLoadHook', 'StrictOptimWrapperConstructor']
