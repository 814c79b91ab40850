"""Files that appear whole or not at all."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def names_a_file(weights: str) -> bool:
    """Whether CLIP weights are given as a path, not as a published tag."""
    return not weights.startswith('hf-hub:') and (
        os.sep in weights or Path(weights).suffix in ('.pt', '.pth', '.bin', '.safetensors')
    )


class WriteError(OSError):
    """A file that could not be written; the message is one line with the way out."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.errno = number

    def __reduce__(self):  # it may come from a worker of another process
        return type(self), (self.args[0], self.errno)


@contextmanager
def whole_file(
    path: 'str | os.PathLike', needed: Callable[[], int | None] = lambda: None
) -> Iterator[Path]:
    """A place to write to, moved to `path` in one step when the block ends.

    When the block raises, nothing of it is left and an older file at `path` stays as it was. The
    bytes are on the disk before the name is, so that a machine that stops leaves no empty file.

        with whole_file('numbers.json') as partial:
            partial.write_text(text)

    Args:
        path: the file; its folder must exist. The place is a hidden file of that folder, one for
            each process, with another suffix.
        needed: says after a failure how many bytes the file has, where that is known.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    path = Path(path)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        with explained(path, needed):
            yield partial
            _flush(partial)
            os.replace(partial, path)
            _flush(path.parent)
    finally:
        if partial.exists():
            partial.unlink()


@contextmanager
def explained(path: Path, needed: Callable[[], int | None] = lambda: None) -> Iterator[None]:
    """Turns the errors of a full disk and of a closed folder into a `WriteError` that names
    `path`, what it needs and what to do."""
    try:
        yield
    except WriteError:
        raise
    except (OSError, RuntimeError) as error:
        number = error.errno if isinstance(error, OSError) else _torch_number(error)
        if number not in FULL + CLOSED:
            raise
        folder, size = path.parent, needed()
        size = '' if size is None else f' It needs {_megabytes(size)}.'
        if number in CLOSED:
            way = f'Make {folder} writable, or name another folder.'
        else:
            free = shutil.disk_usage(folder).free
            way = f'{_megabytes(free)} are free in {folder}: free some, or name another folder.'
        raise WriteError(
            f'{path} cannot be written: {os.strerror(number)}.{size} {way} Nothing '
            'half-written is left.',
            number,
        ) from error


def check_folder(path: 'str | os.PathLike') -> None:
    """That `path` is a folder that may be written to, or can be made one; makes nothing.

    Raises:
        WriteError: a file is in its place, or in that of a folder above it; no right to write.
    """
    there = next(
        place
        for place in (Path(path).absolute(), *Path(path).absolute().parents)
        if os.path.lexists(place)
    )
    if not there.is_dir():
        raise WriteError(
            f'{path} cannot be a folder: {there} is none. Name another folder, or move it away.',
            errno.ENOTDIR,
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise WriteError(
            f'{path} cannot be written to: {os.strerror(errno.EACCES)}. Make {there} writable, or '
            'name another folder.',
            errno.EACCES,
        )


def made_folder(path: 'str | os.PathLike') -> Path:
    """The folder, made with those above it.

    Raises:
        WriteError: see `check_folder`; the system refuses.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        check_folder(path)
        raise WriteError(
            f'the folder {path} cannot be made: {error.strerror}. Name another folder.', error.errno
        ) from error
    return path


def _torch_number(error: RuntimeError) -> int | None:
    # torch.save to a path says this of a disk that is full, and keeps no errno
    text = str(error)
    full = 'PytorchStreamWriter failed' in text or 'inline_container' in text
    return errno.ENOSPC if full else None


def _megabytes(size: int) -> str:
    return f'{size / 1e6:,.1f} MB'


def _flush(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    if path.is_dir() and os.name != 'posix':
        return
    # Windows flushes no file that is open for reading alone, POSIX opens no folder for writing
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems know no fsync of a folder
            raise
    finally:
        os.close(handle)


def write_json(path: 'str | os.PathLike', content: dict) -> Path:
    """Writes `content` to `path`, whole or not at all; its folder is made.

    NumPy and torch numbers and arrays become JSON's.
    """
    path = Path(path)
    made_folder(path.parent)
    with whole_file(path) as partial:
        partial.write_text(
            json.dumps(content, indent=2, default=lambda value: value.tolist()) + '\n'
        )
    return path
