"""Ends of a training before its last iteration: Ctrl-C, SIGTERM, a loss that is not finite."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS
from .checkpoint_hook import WholeCheckpointHook
from .run_identity import RunError, few

TOGETHER = 1.0  # seconds: a launcher passes on the signal that its processes have had already


class TrainingStopped(KeyboardInterrupt):
    """A training that was asked to stop, and did; its text says what was saved.

    Attributes:
        status: of the process, 128 + the number of the signal: 130 of Ctrl-C, 143 of SIGTERM.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.status = 128 + number


class StopRequest:
    """Listens to SIGINT and SIGTERM: the first is remembered, a second one, that does not come
    together with it, stops at once.

    Attributes:
        number: of the signal that came, None before.
        armed: somebody looks at `number`; until then the first signal stops at once too.
    """

    def __init__(self) -> None:
        self.number, self.armed, self.since = None, False, 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes the two signals while the block runs, where it runs in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            self.armed = False
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, frame) -> None:
        if self.number == number and time.monotonic() - self.since < TOGETHER:
            return
        if not self.armed or self.number is not None:
            raise TrainingStopped(number, 'stopped at once; nothing was saved by this')
        self.number, self.since = number, time.monotonic()
        if is_main_process():
            # not print: the signal may have come inside of one
            os.write(
                sys.__stderr__.fileno(),
                f'{signal.Signals(number).name}: saving after this '
                'iteration; once more stops at once\n'.encode(),
            )


@HOOKS.register_module()
class StopHook(Hook):
    """Saves a checkpoint and ends the training when it was asked to, after a whole iteration.

    Raises:
        TrainingStopped: in every process, after the same iteration.
    """

    priority = 'LOWEST'  # after the checkpoints

    def __init__(self, request: StopRequest | None = None) -> None:
        self.request = request or StopRequest()

    def before_train(self, runner: Runner) -> None:
        self.request.armed = True

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        self._look(runner, runner.iter + 1)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        if self.request.armed:
            self._look(runner, runner.iter)

    def _look(self, runner: Runner, done: int) -> None:
        number = self.request.number or 0
        if get_world_size() > 1:  # all processes stop after the same iteration, or none
            heard = torch.tensor([number])
            all_reduce(heard, op='max')
            number = int(heard)
        if not number:
            return
        hook = next((one for one in runner.hooks if isinstance(one, WholeCheckpointHook)), None)
        path = hook and hook.save_now(runner, done)
        if path is None:
            raise TrainingStopped(
                number,
                f'stopped after iteration {done} of {runner.max_iters}; nothing saved: no '
                'WholeCheckpointHook that counts iterations',
            )
        raise TrainingStopped(
            number,
            f'saved {path}, iteration {done} of {runner.max_iters}\n'
            'go on: the same command with --resume',
        )


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends a training whose loss is not finite, before anything of it is saved. MMEngine has read
    every term for its log by then, so that a GPU waits no more than without.

    Raises:
        RunError: names the iteration, the terms and the images.
    """

    priority = 'ABOVE_NORMAL'

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        losses = {
            name: value.item()
            for name, value in (outputs or {}).items()
            if 'loss' in name and isinstance(value, torch.Tensor) and value.numel() == 1
        }
        broken = {name: value for name, value in losses.items() if not math.isfinite(value)}
        if not broken:
            return
        terms = [f'{name} is {value}' for name, value in broken.items() if name != 'loss']
        images = [
            str(getattr(sample, 'img_path', 'unnamed'))
            for sample in (data_batch or {}).get('data_samples', [])
        ]
        raise RunError(
            f'iteration {runner.iter + 1}: the loss is not finite: {few(terms or ["loss"])}. '
            f'Images of the batch: {few(images, 8)}. Training ended and nothing of it was saved. '
            'Look at these images, or go on from the last checkpoint at a lower learning rate.'
        )
