"""A long task shows how far it is, in a terminal and in a log."""

import io
from types import SimpleNamespace

import pytest

from mmseg_zsclip.engine import ProgressHook
from mmseg_zsclip.engine.progress import ProgressBar, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(6.6, '7 s'), (59.7, '1 min 00 s'), (125, '2 min 05 s'), (3725, '1 h 02 min')],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration(seconds) == text


def test_a_log_gets_one_line_of_ten_percents():
    log = io.StringIO()
    bar = ProgressBar('drawing', 40, log)
    for done in range(1, 41):
        bar.update(done)
    bar.close('done')
    assert log.getvalue() == ('drawing 10% 20% 30% 40% 50% 60% 70% 80% 90% 100%, 0 s, done\n')


def test_a_terminal_line_is_drawn_over_and_fits():
    terminal = Terminal()
    bar = ProgressBar('training', 2, terminal)
    bar.update(2, 'loss 1.00' + 300 * 'x')
    bar.close()
    *_, last, end = terminal.getvalue().split('\r\033[K')
    assert '[########################] 2/2' in last
    assert len(last) < 200
    assert end == 'training: 0 s\n'


def test_the_hook_shows_training_and_testing(capsys):
    hook = ProgressHook('train', 'test')
    runner = SimpleNamespace(max_iters=2, iter=0, test_dataloader=[0])
    hook.before_train(runner)
    for runner.iter in (0, 1):
        hook.after_train_iter(runner, runner.iter, outputs={})
    hook.before_val(runner)
    hook.after_train(runner)
    hook.before_val(runner)  # a validation by itself draws nothing
    hook.before_test(runner)
    hook.after_test_iter(runner, 0)
    hook.after_test(runner)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith('train 10%')
    assert second.startswith('test 10%')
