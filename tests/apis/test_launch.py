"""What a run of several processes leaves behind."""

import os
import socket
import subprocess
import sys

import pytest

RUN = """
import atexit
import os
from torch import distributed as dist
def of_gloo():  # newer torch names its threads
    threads = os.listdir('/proc/self/task')
    return any('gloo' in open(f'/proc/self/task/{one}/comm').read() for one in threads)
atexit.register(lambda: print('at the end:', dist.is_initialized(), of_gloo()))  # called last
from mmseg_zsclip.apis.launch import build_runner, load_config
runner = build_runner(load_config('toy_inductive', work_dir='run', launcher='pytorch'))
runner.itself = runner  # as its hooks do
del runner
print('made:', dist.is_initialized())
"""


@pytest.mark.skipif(not os.path.isdir('/proc/self/task'), reason='threads as Linux shows them')
def test_a_process_ends_the_group_that_it_made(tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    place = dict(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1')
    env = dict(
        os.environ,
        **place,
        MASTER_PORT=port,
        CUDA_VISIBLE_DEVICES='',
        PYTHONPATH=os.pathsep.join(sys.path),
    )
    command = [sys.executable, '-c', RUN]
    run = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.endswith('made: True\nat the end: False False\n')
