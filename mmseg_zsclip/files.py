"""Files that appear whole or not at all."""
import json
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


def write_json(path: 'str | os.PathLike', content: dict) -> Path:
    """Writes `content` to `path`, whole or not at all; its folder is made.

    NumPy and torch numbers and arrays become JSON's.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        partial.write_text(
            json.dumps(content, indent=2, default=lambda value: value.tolist()) + '\n')
    return path
