"""What a user can mend is one line on standard error; so is a bug of ours, with its traceback in a
file that the line names."""

import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from .mistyped import mistyped

PACKAGE = Path(__file__).resolve().parents[1]
HOMES = (PACKAGE, PACKAGE.parent / 'tools')
# where MMEngine calls what an entry of a config names: its keys and its type are the user's
BUILDERS = ('mmengine/registry/build_functions.py', 'mmengine/utils/manager.py')
RUNNER = 'mmengine/runner/runner.py'
WRONG_KEY = re.compile(
    r'__init__\(\) (got (an unexpected|multiple values for) keyword|missing \d+ required)'
)
REFUSALS = ValueError, AssertionError, TypeError, KeyError
WORKER = re.compile(r'Caught \w+ in [^\n]*\nOriginal Traceback')  # as torch passes it on
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


def built_wrongly(error: BaseException) -> bool:
    """Whether MMEngine could not build an entry of the config: of no known type, with keys that its
    constructor, or one that it passes them on to, does not take, with values that it refuses in a
    sentence, or with values of another kind than it says that it takes."""
    place = _raised_at(error)[0].as_posix()
    if isinstance(error, KeyError) and place.endswith(BUILDERS):
        return True
    if isinstance(error, TypeError) and WRONG_KEY.search(text(error)):
        return _built(error) is not None
    begun = _built(error) is not None or place.endswith(RUNNER)
    return _mistyped(error) is not None or begun and not raised_here(error) and _refused(error)


def _refused(error: BaseException) -> bool:
    """Whether a statement refuses a value in a sentence; Python's own TypeErrors and KeyErrors are
    bugs."""
    if not isinstance(error, REFUSALS) or ' ' not in text(error):
        return False
    return _line(error).startswith('raise') or not isinstance(error, TypeError | KeyError)


def _line(error: BaseException) -> str:
    """The line of code that raised it; '' where none is known."""
    frames = traceback.extract_tb(error.__traceback__)
    return (frames[-1].line or '') if frames else ''


def _mistyped(error: BaseException) -> str | None:
    """See `mistyped`; of what MMEngine was making, and of errors that say nothing better: of a
    file, an unknown type, a wrong key, or what a statement refuses in a sentence."""
    if isinstance(error, OSError | KeyError) or WRONG_KEY.search(text(error)):
        return None
    if ' ' in text(error) and _line(error).startswith(('raise', 'assert')):
        return None
    return mistyped(_making(error)[1])


def _built(error: BaseException) -> str | None:
    """Name of what MMEngine was making, the innermost, when the error came."""
    return _making(error)[0]


def _making(error: BaseException) -> tuple[str | None, TracebackType | None]:
    found, inside, step = None, None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.replace(os.sep, '/').endswith(BUILDERS):
            known = step.tb_frame.f_locals
            made = known.get('obj_cls', known.get('cls'))
            found = getattr(made, '__name__', found)
            inside = step.tb_next
        step = step.tb_next
    return found, inside


def explained(error: BaseException) -> str:
    """The message of an error of the user; of an entry that was not built, also where to look."""
    if not built_wrongly(error):
        return text(error)
    kind = _built(error)
    entry = f'the entry of the config with type {kind!r}' if kind else 'an entry of the config'
    return f'{entry} cannot be built: {_mistyped(error) or text(error)}'


def raised_here(error: BaseException) -> bool:
    """Whether a line of this package or of its tools raised it, also in a process of a pool."""
    place, _ = _raised_at(error)
    return any(place.is_relative_to(home) for home in HOMES)


def _raised_at(error: BaseException) -> tuple[Path, int]:
    """File and line; an empty path where it was raised nowhere."""
    found = re.findall(r'File "([^"]+)", line (\d+)', _elsewhere(error))
    if found:
        return Path(found[-1][0]), int(found[-1][1])  # the last line before the message
    frames = traceback.extract_tb(error.__traceback__)
    return (Path(frames[-1].filename), frames[-1].lineno or 0) if frames else (Path(), 0)


def _elsewhere(error: BaseException) -> str:
    """The traceback of another process: of a pool, or of a DataLoader's worker, which puts it into
    the message; '' where the error is of this process."""
    cause = error.__cause__
    if cause is not None and type(cause).__name__.endswith('RemoteTraceback'):
        return str(cause)
    return str(error) if WORKER.match(str(error)) else ''


def text(error: BaseException) -> str:
    """The message in one line; KeyError's without the quotes that `str` puts around it, and a
    worker's without its traceback."""
    message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if WORKER.match(message):
        last = message.rstrip().rsplit('\n  ', 1)[-1]  # a line of code, and the error below it
        message = last.partition('\n')[2].partition(': ')[2] or message
    return ' '.join(str(message).split())


def is_users(error: BaseException) -> bool:
    """True for what input caused: an error of a file, one that this package raised with a
    sentence, or a config's entry of an unknown type or with a wrong key. A KeyError of one word is
    a look-up that failed, which is a bug."""
    if isinstance(error, OSError) or type(error).__module__.startswith('mmseg_zsclip.'):
        return True
    if built_wrongly(error):
        return True
    if isinstance(error, TypeError):
        return raised_here(error) and _refused(error)
    if not isinstance(error, ValueError | KeyError | ImportError) or ' ' not in text(error):
        return False
    return raised_here(error)


def guarded(
    call: Callable[[], int | None], name: str = 'zsclip', options: Sequence[str] = ()
) -> int | None:
    """The status of `call`; an error of the user ends the program with `<name>: <message>` and
    status 1, another one with a line that names the file of its traceback, and the `options` of the
    config that may have caused it, and Ctrl-C with status 130. With ZSCLIP_DEBUG=1 nothing is
    caught."""
    if os.environ.get(DEBUG, '0') not in ('', '0'):
        return call()
    try:
        return call()
    except Exception as error:  # noqa: BLE001  what is no error of the user is written down
        first = origin(error)
        if is_users(first):
            message = explained(first)
        else:
            message = _written_down(error, first, name)
            if options:
                message += f'. It came with --cfg-options {" ".join(options)}: try without'
    except KeyboardInterrupt:
        print(f'{name}: interrupted', file=sys.stderr)
        sys.exit(130)
    sys.exit(f'{name}: {message}')


def _written_down(error: Exception, first: BaseException, name: str) -> str:
    """One line of a bug, whose traceback is then in a file.

    Raises:
        Exception: `error` itself, where no file can be written.
    """
    try:
        number, path = tempfile.mkstemp('.log', f'{name}_error_')
        with os.fdopen(number, 'w', encoding='utf-8') as file:
            file.write(''.join(traceback.format_exception(error)))
    except OSError:
        raise error from None
    place, line = _raised_at(first)
    said = text(first)
    return (
        f'unexpected {type(first).__name__} at {place}:{line}: '
        f'{said[:300]}{"..." if len(said) > 300 else ""} (the traceback is in {path}; '
        f'{DEBUG}=1 shows it here)'
    )


def run_tool(main: Callable[[], int | None]) -> None:
    """Runs a script and ends the program, its errors as `zsclip` would show them."""
    sys.exit(guarded(main, Path(sys.argv[0]).stem))
