"""A terminal shows progress and what matters; the file has everything."""

import logging
import warnings
from pathlib import Path
from types import SimpleNamespace

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.apis.launch import build_runner
from mmseg_zsclip.engine import HeartbeatHook
from mmseg_zsclip.engine.logs import quieten


def test_thirty_lines_at_most_stand_before_the_first_iteration(training, capfd):
    cfg = training(steps=3)
    cfg.log_level = 'INFO'
    cfg.optim_wrapper.optimizer.weight_decay = 0.01
    cfg.optim_wrapper.paramwise_cfg = dict(norm_decay_mult=0.0)
    build_runner(cfg).train()
    output = ''.join(capfd.readouterr())
    before = output[: output.index('Iter(train)')].splitlines()
    assert len(before) <= 30, before
    log = ''.join(path.read_text() for path in Path(cfg.work_dir).rglob('*.log'))
    for part in ('Hooks will be executed', 'paramwise_options'):
        assert part in log
        assert part not in output


def test_a_slow_loop_says_every_few_seconds_how_far_it_is(monkeypatch):
    now, said = [0.0], []
    monkeypatch.setattr('mmseg_zsclip.engine.logs.time.monotonic', lambda: now[0])
    hook = HeartbeatHook()
    runner = SimpleNamespace(
        hooks=[], max_iters=100, iter=0, logger=SimpleNamespace(info=said.append)
    )
    for runner.iter in range(10):
        now[0] += 2.0
        hook.after_train_iter(runner, runner.iter)
    assert said == [f'training: iteration {done} of 100' for done in (4, 7, 10)]


def test_what_mmseg_says_of_build_loss_is_not_heard():
    """A filter that matches nothing says nothing of it."""
    from mmseg.models.builder import build_loss

    loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter('always')
        build_loss(loss)
        quieten(logging.getLogger('any'))
        build_loss(loss)
    assert len([one for one in heard if 'build_loss' in str(one.message)]) == 1
