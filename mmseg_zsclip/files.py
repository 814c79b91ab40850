"""Files that appear whole or not at all."""
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: 'str | os.PathLike') -> Iterator[Path]:
    """A place to write to, moved to `path` in one step when the block ends.

    When the block raises, nothing of it is left and an older file at `path` stays as it was.

        with whole_file('numbers.json') as partial:
            partial.write_text(text)

    Args:
        path: the file; its folder must exist. The place is a hidden file of that folder, one for
            each process, with another suffix.
    """
    path = Path(path)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
