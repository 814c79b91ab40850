"""A folder that is in use by a run is used by no second one."""

import errno
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..files import explained, made_folder
from .run_identity import RunError

LOCK_FILE = '.in_use'
_held = set()


@contextmanager
def in_use(folder: 'str | os.PathLike') -> Iterator[None]:
    """Holds a folder, which is made, while the block runs; a block inside it, of the same process,
    holds it too. The system lets go when the process ends, however it ends, and child processes
    hold nothing. Where there are no such locks (Windows, some network disks) nothing is held, and
    a warning says so.

    Raises:
        RunError: another process holds it; names it.
        WriteError: the folder cannot be written to.
    """
    path = Path(folder).absolute() / LOCK_FILE
    if path in _held:
        yield
        return
    with explained(path):
        made_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle, path)
        _held.add(path)
        with explained(path):
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, f'process {os.getpid()} on {platform.node()}'.encode())
        yield
    finally:
        _held.discard(path)
        os.close(handle)  # which lets go of it


def _lock(handle: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:
        _unlocked(path)
        return
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            _unlocked(path)
            return
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        holder = os.read(handle, 200).decode(errors='replace') or 'another process'
        raise RunError(
            f'{path.parent} is in use by another run, {holder}. Wait for it or end it, '
            'or take another folder (--work-dir, --out).'
        ) from error


def _unlocked(path: Path) -> None:
    warnings.warn(
        f'{path.parent} cannot be locked on this system: do not start a second run in it.',
        stacklevel=2,
    )
