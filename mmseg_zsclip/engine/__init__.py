"""What plugs into MMEngine's runner."""
from .hooks import ClassNamesHook, StrictLoadHook
from .optim import AmpOptimWrapper, StrictOptimWrapperConstructor
from .progress import ProgressHook
from .self_training import SelfTrainingHook
from .vocabulary import SetClassesHook

__all__ = ['AmpOptimWrapper', 'ClassNamesHook', 'ProgressHook', 'SelfTrainingHook', 'SetClassesHook',
           'StrictLoadHook', 'StrictOptimWrapperConstructor']
