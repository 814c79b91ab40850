"""What plugs into MMEngine's runner."""

from .checkpoint_hook import WholeCheckpointHook
from .distillation_hook import DistillationHook
from .hooks import ClassNamesHook, StrictLoadHook
from .logs import HeartbeatHook
from .optim import AmpOptimWrapper, StrictOptimWrapperConstructor
from .preflight_hook import PreflightHook
from .progress import ProgressHook
from .run_identity import RunError
from .runner import ResumableRunner
from .self_training_hook import SelfTrainingHook
from .set_classes_hook import SetClassesHook
from .sharding import ShardedRunner
from .stopping import FiniteLossHook, StopHook, TrainingStopped

__all__ = [
    'AmpOptimWrapper',
    'ClassNamesHook',
    'DistillationHook',
    'FiniteLossHook',
    'HeartbeatHook',
    'PreflightHook',
    'ProgressHook',
    'ResumableRunner',
    'RunError',
    'SelfTrainingHook',
    'SetClassesHook',
    'ShardedRunner',
    'StopHook',
    'StrictLoadHook',
    'StrictOptimWrapperConstructor',
    'TrainingStopped',
    'WholeCheckpointHook',
]
