"""What a user can mend is one line on standard error; a bug of ours keeps its traceback."""
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
DEBUG = 'ZSCLIP_DEBUG'


def origin(error: BaseException) -> BaseException:
    """The first error of a chain of wrappers that repeat its message, as mmengine's builders do;
    one that this package raised is none, since it adds the file or the option."""
    while not raised_here(error):
        inner = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if inner is None or not text(inner) or text(inner) not in text(error):
            break
        error = inner
    return error


def raised_here(error: BaseException) -> bool:
    """Whether a line of this package raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).is_relative_to(PACKAGE)


def text(error: BaseException) -> str:
    """The message in one line; KeyError's without the quotes that `str` puts around it."""
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    return ' '.join(str(message).split())


def is_users(error: BaseException) -> bool:
    """True for what input caused: an error of a file, or one that this package raised with a
    sentence. A KeyError of one word is a look-up that failed, which is a bug."""
    if isinstance(error, OSError):
        return True
    if type(error).__module__.startswith('mmseg_zsclip.'):
        return True
    if not isinstance(error, ValueError | KeyError | ImportError) or ' ' not in text(error):
        return False
    return raised_here(error)


def guarded(call: Callable[[], int]) -> int:
    """The status of `call`; an error of the user ends the program with `zsclip: <message>` and
    status 1. With ZSCLIP_DEBUG=1 nothing is caught."""
    if os.environ.get(DEBUG, '0') not in ('', '0'):
        return call()
    try:
        return call()
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        first = origin(error)
        if not is_users(first):
            raise
        message = text(first)
    sys.exit(f'zsclip: {message}')
