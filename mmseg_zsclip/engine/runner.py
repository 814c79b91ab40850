"""A runner whose trainings can be stopped, killed, moved and resumed."""

import os
from contextlib import ExitStack
from functools import partial

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn

from ..files import FULL, WriteError
from ..registry import RUNNERS
from .folder_lock import in_use
from .logs import HeartbeatHook, quieten
from .metric_names import use_legal_names
from .stopping import FiniteLossHook, StopHook, StopRequest
from .workers import init_worker

STOCK = ('CheckpointHook', 'mmengine.CheckpointHook', CheckpointHook)


@RUNNERS.register_module()
class ResumableRunner(Runner):
    """MMEngine's, with `WholeCheckpointHook` in the place of its `CheckpointHook`, `StopHook`,
    `FiniteLossHook` and `HeartbeatHook`, a terminal that shows what matters, names of scalars that
    every logger takes, loaders that end with it, and a work folder that no second training uses.

    `runner_type = 'mmseg_zsclip.ResumableRunner'` in a config asks MMSegmentation's tools for it.

    Raises:
        RunError: while training: the folder is in use; see the hooks.
        WriteError: the disk is full, or the folder may not be written to.
        TrainingStopped: Ctrl-C or SIGTERM.
    """

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        hooks = dict(hooks or {})
        checkpoint = hooks.get('checkpoint', dict(type='CheckpointHook', interval=1))
        if isinstance(checkpoint, dict) and checkpoint.get('type') in STOCK:
            hooks['checkpoint'] = {**checkpoint, 'type': 'mmseg_zsclip.WholeCheckpointHook'}
        super().register_default_hooks(hooks)
        self.stop_request = StopRequest()
        self.register_hook(FiniteLossHook())
        self.register_hook(StopHook(self.stop_request))
        self.register_hook(HeartbeatHook())

    def build_logger(self, *args, **kwargs) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        quieten(logger)
        logger.info(f'config, environment and all of the log: {self.log_dir}')
        return logger

    def build_visualizer(self, visualizer=None) -> Visualizer:
        return use_legal_names(super().build_visualizer(visualizer))

    @staticmethod
    def build_dataloader(*args, **kwargs):
        loader = Runner.build_dataloader(*args, **kwargs)
        if getattr(loader.worker_init_fn, 'func', None) is not init_worker:
            loader.worker_init_fn = partial(
                init_worker, parent=os.getpid(), inner=loader.worker_init_fn
            )
        return loader

    def train(self) -> nn.Module:
        with ExitStack() as stack:
            if is_main_process():
                stack.enter_context(in_use(self.work_dir))
            stack.enter_context(self.stop_request.listening())
            try:
                return super().train()
            except WriteError:
                raise
            except OSError as error:
                if error.errno not in FULL:
                    raise
                raise WriteError(
                    f'{os.strerror(error.errno)} while writing to {self.work_dir}. '
                    'Free some of it, then go on with --resume.',
                    error.errno,
                ) from error
