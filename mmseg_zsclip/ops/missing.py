"""What happens when an op is called that only the compiled mmcv has."""

from collections.abc import Iterable

FULL_MMCV = (
    'pip uninstall -y mmcv-lite && pip install "setuptools<82" wheel && '
    'pip install --no-build-isolation "mmcv==2.1.0"   (compiles: needs g++, and nvcc for a GPU)'
)


class MissingOpError(NotImplementedError):
    """An op of the compiled mmcv that mmseg_zsclip.ops does not have was called."""


def missing_op(name: str, ours: Iterable[str]):
    """Return a function that raises `MissingOpError` naming the op, ours, and the way out."""

    def op(*args, **kwargs):
        raise MissingOpError(
            f'mmcv op {name!r} was called, but mmcv-lite has no compiled ops and '
            f'mmseg_zsclip.ops has only: {", ".join(sorted(ours))}. '
            f'Install the full mmcv: {FULL_MMCV}'
        )

    op.__name__ = op.__qualname__ = name
    return op
