"""How far a long task is, on one line."""

import sys
import time
from shutil import get_terminal_size
from typing import TextIO

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS

WIDTH = 24


def duration(seconds: float) -> str:
    """'7 s', '2 min 05 s' or '1 h 02 min'."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f'{rest} s'
    return (
        f'{minutes} min {rest:02} s' if minutes < 60 else f'{minutes // 60} h {minutes % 60:02} min'
    )


class ProgressBar:
    """A line that is drawn over in a terminal; in a file or a log it grows by ten percent a word.

    Args:
        label: what is being done.
        total: steps until it is done.
        stream: standard error by default, so that results on standard output stay clean.
    """

    def __init__(self, label: str, total: int, stream: TextIO | None = None) -> None:
        self.label, self.total = label, max(total, 1)
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self.start, self.done, self.shown, self.first = time.time(), 0, 0.0, None
        self.tenths = 0
        self._write(f'\r\033[K{label}' if self.live else label)

    def update(self, done: int, remark: str = '') -> None:
        """`done` of the steps are over; `remark` says how well, in a terminal only."""
        if self.first is None:
            self.first = done - 1  # a resumed task begins in the middle
        self.done = done
        if not self.live:
            for tenth in range(self.tenths + 1, 10 * done // self.total + 1):
                self._write(f' {10 * tenth}%')
                self.tenths = tenth
        elif time.time() - self.shown > 0.1 or done >= self.total:
            self.shown = time.time()
            spent = self.shown - self.start
            left = spent / max(done - self.first, 1) * (self.total - done)
            bar = '#' * (WIDTH * done // self.total)
            line = (
                f'{self.label} [{bar:{WIDTH}}] {done}/{self.total}, {duration(spent)}, '
                f'{duration(left)} left {remark}'
            )
            self._write(f'\r\033[K{line[: get_terminal_size().columns - 1]}')

    def close(self, remark: str = '') -> None:
        """Ends the line, with the time that the task took."""
        spent = ', '.join(filter(None, (duration(time.time() - self.start), remark)))
        self._write(f'\r\033[K{self.label}: {spent}\n' if self.live else f', {spent}\n')

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


@HOOKS.register_module()
class ProgressHook(Hook):
    """A progress bar on standard error for training, and for testing outside of it.

    Args:
        train_label, test_label: what the line begins with.
    """

    priority = 'VERY_LOW'

    def __init__(self, train_label: str = 'training', test_label: str = 'testing') -> None:
        self.train_label = train_label
        self.test_label = test_label
        self.bar = None

    def _open(self, label: str, total: int) -> None:
        self.bar = ProgressBar(label, total) if is_main_process() else None

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        self.bar = None

    def before_train(self, runner: Runner) -> None:
        self._open(self.train_label, runner.max_iters)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        if self.bar is not None:
            loss = (outputs or {}).get('loss')
            self.bar.update(runner.iter + 1, '' if loss is None else f'loss {loss.item():.2f}')

    def before_val(self, runner: Runner) -> None:
        if self.bar is not None:
            self.bar.update(max(runner.iter, 1), '(validating)')

    def after_train(self, runner: Runner) -> None:
        self._close()

    def before_test(self, runner: Runner) -> None:
        self._open(self.test_label, len(runner.test_dataloader))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        if self.bar is not None:
            self.bar.update(batch_idx + 1)

    def after_test(self, runner: Runner) -> None:
        self._close()
