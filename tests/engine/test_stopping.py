"""Ctrl-C, SIGTERM and losses that are not finite: what is saved, and what is said."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.apis.launch import build_runner, train
from mmseg_zsclip.engine import RunError, TrainingStopped
from mmseg_zsclip.engine.stopping import TOGETHER

CALL = """
import sys
from mmseg_zsclip.cli import main
sys.exit(main(['train', sys.argv[1]]))
"""


def start(cfg, tmp_path):
    cfg.dump(tmp_path / 'cfg.py')
    return subprocess.Popen(
        [sys.executable, '-c', CALL, 'cfg.py'],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        text=True,
        start_new_session=True,
    )


def wait_for(found, process, seconds=120):
    end = time.time() + seconds
    while not found():
        assert process.poll() is None, process.stderr.read()
        assert time.time() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ('number', 'status', 'to_all'),
    [(signal.SIGINT, 130, False), (signal.SIGTERM, 143, False), (signal.SIGTERM, 143, True)],
)
def test_a_stopped_run_saves_says_so_in_three_lines_and_goes_on(
    training, tmp_path, number, status, to_all
):
    """`to_all`: as schedulers and `timeout` do, to the processes that load data too."""
    cfg = training(steps=100000, every=100000)
    cfg.train_cfg.val_interval = 100000
    cfg.train_dataloader.num_workers = int(to_all)
    cfg.log_level = 'INFO'
    process = start(cfg, tmp_path)
    wait_for(
        lambda: '.in_use' in os.listdir(cfg.work_dir) if Path(cfg.work_dir).is_dir() else False,
        process,
    )
    wait_for(
        lambda: (
            'Iter(train)' in ''.join(path.read_text() for path in Path(cfg.work_dir).rglob('*.log'))
        ),
        process,
    )
    (os.killpg if to_all else os.kill)(process.pid, number)
    error = process.communicate(timeout=120)[1]
    said = [line for line in error.splitlines() if line.startswith((number.name, 'saved', 'go on'))]
    assert process.returncode == status, error
    assert len(said) == 3, error
    assert 'Traceback' not in error
    (path,) = Path(cfg.work_dir).glob('iter_*.pth')
    step = int(path.stem.split('_')[1])
    assert f'saved {path}, iteration {step} of 100000' in error
    cfg.train_cfg.max_iters = step + 1
    assert train(cfg, resume=True).iter == step + 1


def test_a_second_signal_stops_at_once(training):
    runner = build_runner(training())
    request = runner.stop_request
    with request.listening():
        request.armed = True
        os.kill(os.getpid(), signal.SIGINT)
        assert request.number == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)  # a launcher's, of what the whole job has heard
        request.since -= TOGETHER
        with pytest.raises(TrainingStopped, match='stopped at once'):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_loss_that_is_not_finite_ends_training_before_it_is_saved(training, value, monkeypatch):
    cfg = training(every=1)
    runner = build_runner(cfg)
    head = type(runner.model.decode_head)
    original = head.loss_by_feat

    def break_it(self, *args):
        losses = original(self, *args)
        return losses | dict(loss_ce=losses['loss_ce'] * value) if runner.iter == 2 else losses

    monkeypatch.setattr(head, 'loss_by_feat', break_it)
    with pytest.raises(
        RunError,
        match=r'iteration 3: the loss is not finite: decode.loss_ce is '
        r'(nan|inf).*Images of the batch: .*img/\d.png; .*img/\d.png',
    ):
        runner.train()
    assert [path.name for path in Path(cfg.work_dir).glob('iter_*')] == ['iter_2.pth']


def test_weights_that_are_not_finite_are_never_saved(training):
    class Break(Hook):
        priority = 'HIGHEST'

        def after_train_iter(self, runner, *args, **kwargs):
            with torch.no_grad():
                runner.model.decode_head.conv_seg.bias[0] = float('nan')

    cfg = training(every=1)
    runner = build_runner(cfg)
    runner.register_hook(Break())
    with pytest.raises(RunError, match='iteration 1: not saved.*decode_head.conv_seg.bias'):
        runner.train()
    assert not list(Path(cfg.work_dir).glob('iter_*'))
