"""Loader processes end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Batches with more metadata than a pipe holds, which nobody reads: the workers wait in a write.
PARENT = """
import os, sys, time
from functools import partial
import numpy as np
from torch.utils.data import DataLoader
from mmseg_zsclip.engine.workers import init_worker
loader = DataLoader([0] * 64, batch_size=1, num_workers=2, collate_fn=lambda _: np.zeros(10 ** 6),
                    worker_init_fn=partial(init_worker, parent=os.getpid(), inner=None))
batches = iter(loader)
next(batches)
print(*(worker.pid for worker in batches._workers), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not Path('/proc').is_dir(), reason='looks at processes in /proc')
@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])
def test_workers_are_gone_seconds_after_their_parent(number):
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    parent = subprocess.Popen(
        [sys.executable, '-c', PARENT], env=env, text=True, stdout=subprocess.PIPE
    )
    workers = list(map(int, parent.stdout.readline().split()))
    assert len(workers) == 2
    assert all(map(alive, workers))
    parent.send_signal(number)
    parent.wait()
    end = time.time() + 30
    while any(map(alive, workers)):
        assert time.time() < end
        time.sleep(0.1)


LEFT_ALONE = """
import os
from functools import partial
from torch.utils.data import DataLoader
from mmseg_zsclip.engine.workers import init_worker
loader = DataLoader([0] * 64, num_workers=1, persistent_workers=True,
                    worker_init_fn=partial(init_worker, parent=os.getpid(), inner=None))
batches = iter(loader)
next(batches)
os.system(f'kill -TERM {batches._workers[0].pid}')  # by another process than this one
print(len(list(batches)))
"""


@pytest.mark.skipif(not hasattr(signal, 'sigtimedwait'), reason='tells no senders apart')
def test_a_sigterm_of_others_leaves_the_workers_and_the_parents_own_ends_them():
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run(
        [sys.executable, '-c', LEFT_ALONE],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '63\n', '')


def alive(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False
