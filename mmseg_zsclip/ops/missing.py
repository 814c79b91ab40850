"""What happens when an op is called that only the compiled mmcv has."""


class MissingOpError(NotImplementedError):
    """An op of the compiled mmcv that mmseg_zsclip.ops does not have was called."""


def full_mmcv() -> str:
    """Return the command that installs the compiled mmcv."""
    from mmseg_zsclip.compat import FULL_MMCV
    return FULL_MMCV


def missing_op(name: str):
    """Return a function that raises `MissingOpError` naming the op and the way out."""

    def op(*args, **kwargs):
        from mmseg_zsclip.ops import OPS
        raise MissingOpError(
            f'mmcv op {name!r} was called, but mmcv-lite has no compiled ops and '
            f'mmseg_zsclip.ops has only: {", ".join(sorted(OPS))}. '
            f'Install the full mmcv: {full_mmcv()}')

    op.__name__ = op.__qualname__ = name
    return op
