"""Processes that load data: they end with the process that started them."""

import os
import signal
import threading
import time
from collections.abc import Callable

SECONDS = 1.0  # between two looks at the parent


def init_worker(worker_id: int, parent: int, inner: Callable | None) -> None:
    """The `worker_init_fn` of our loaders.

    A loader whose pipe is full waits for a reader for ever, and PyTorch's own look at the parent
    comes too late for it. Ctrl-C is the parent's to answer: it still wants the batches. So is a
    SIGTERM that a scheduler sends to all processes of a job; the parent's own ends the worker.

    Args:
        parent: id of the process that trains.
        inner: the `worker_init_fn` that seeds the worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told_apart = hasattr(signal, 'sigtimedwait')  # not on macOS and Windows
    if told_apart:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def end_with_parent() -> None:
        while os.getppid() == parent:
            if not told_apart:
                time.sleep(SECONDS)
                continue
            heard = signal.sigtimedwait([signal.SIGTERM], SECONDS)
            if heard is not None and heard.si_pid == parent:
                os._exit(0)
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    if inner is not None:
        inner(worker_id)
