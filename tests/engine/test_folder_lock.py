"""One training a folder; full disks and closed folders are named."""

import errno
import os
import sys

import pytest

from mmseg_zsclip.engine import RunError
from mmseg_zsclip.engine.folder_lock import in_use
from mmseg_zsclip.files import WriteError, whole_file


def test_a_second_training_in_a_folder_is_refused_until_the_first_ends_or_is_killed(tmp_path, hold):
    first = hold(tmp_path)
    with pytest.raises(
        RunError, match=f'{tmp_path} is in use by another run, process {first.pid} on'
    ):
        in_use(tmp_path).__enter__()
    first.kill()
    first.wait()
    with in_use(tmp_path), in_use(tmp_path):  # and the same process may hold it twice
        pass


@pytest.mark.parametrize(
    ('number', 'way'),
    [(errno.ENOSPC, 'It needs 5.0 MB.*are free in .*free some'), (errno.EROFS, 'Make .* writable')],
)
def test_a_disk_that_takes_nothing_is_named_and_nothing_half_stays(tmp_path, number, way):
    (tmp_path / 'a.pth').write_text('old')

    def fail_half_way():
        with whole_file(tmp_path / 'a.pth', lambda: 5_000_000) as partial:
            partial.write_text('half')
            raise OSError(number, os.strerror(number))

    with pytest.raises(WriteError, match=rf'a\.pth cannot be written: .*{way}.*half-written'):
        fail_half_way()
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
    assert (tmp_path / 'a.pth').read_text() == 'old'


def test_a_system_without_locks_trains_and_says_so(tmp_path, monkeypatch):
    """As Windows, which lacks these."""
    monkeypatch.setitem(sys.modules, 'fcntl', None)
    for name in ('pread', 'pwrite', 'uname', 'fork'):
        monkeypatch.delattr(os, name)
    with pytest.warns(UserWarning, match='cannot be locked .* do not start a second run'):
        in_use(tmp_path).__enter__()
