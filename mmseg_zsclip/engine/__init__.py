"""What plugs into MMEngine's runner."""
from .hooks import StrictLoadHook
from .optim import StrictOptimWrapperConstructor
from .progress import ProgressHook
from .self_training import SelfTrainingHook

__all__ = ['ProgressHook', 'SelfTrainingHook', 'StrictLoadHook', 'StrictOptimWrapperConstructor']
