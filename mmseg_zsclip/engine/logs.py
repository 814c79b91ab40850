"""What a terminal shows of a run: progress and what matters; the log file has everything."""

import logging
import time
import warnings

from mmengine.dist import is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner

from ..registry import HOOKS

# Beginnings of MMEngine's messages: hundreds of lines of environment, config and hooks; a line for
# each parameter; and warnings of MMEngine and MMSegmentation about themselves.
FILE_ONLY = (
    '\n-----',
    'Config:',
    'Hooks will be executed',
    'paramwise_options',
    'Distributed training is not used',
    'The prefix is not set in metric class',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)
OF_OTHERS = ('`{2}build_loss`{2} would be deprecated', '.*GradScaler.* is deprecated')


class TerminalFilter(logging.Filter):
    """Keeps `FILE_ONLY` from a terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(FILE_ONLY)


def quieten(logger: logging.Logger) -> None:
    """Puts the filter before every handler of `logger` that writes to a terminal."""
    for handler in logger.handlers:
        to_file = isinstance(handler, logging.FileHandler)
        if not to_file and not any(isinstance(one, TerminalFilter) for one in handler.filters):
            handler.addFilter(TerminalFilter())
    for message in OF_OTHERS:
        warnings.filterwarnings('ignore', message=message)


@HOOKS.register_module()
class HeartbeatHook(Hook):
    """A line of progress when `seconds` have passed without one of `LoggerHook`'s."""

    priority = 'LOWEST'

    def __init__(self, seconds: float = 5.0) -> None:
        self.seconds = seconds
        self.last = 0.0

    def _beat(self, runner: Runner, done: int, total: int, what: str, interval: int) -> None:
        now = time.monotonic()
        if done == 1 and not self.last:
            self.last = now
        if interval > 0 and done % interval == 0:
            self.last = now  # LoggerHook has just said so
        elif now - self.last >= self.seconds and is_main_process():
            runner.logger.info(f'{what} {done} of {total}')
            self.last = now

    @staticmethod
    def _interval(runner: Runner) -> int:
        return next((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), 0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        self._beat(
            runner, runner.iter + 1, runner.max_iters, 'training: iteration', self._interval(runner)
        )

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        self._beat(
            runner,
            batch_idx + 1,
            len(runner.val_dataloader),
            'validation: batch',
            self._interval(runner),
        )

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        self._beat(
            runner,
            batch_idx + 1,
            len(runner.test_dataloader),
            'test: batch',
            self._interval(runner),
        )
