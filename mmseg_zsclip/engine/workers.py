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
    comes too late for it. Ctrl-C is the parent's to answer: it still wants the batches.

    Args:
        parent: id of the process that trains.
        inner: the `worker_init_fn` that seeds the worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS)
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    if inner is not None:
        inner(worker_id)
