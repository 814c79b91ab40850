"""Runs the test suite on every row of one table of versions,
and writes the table of docs/install.md.

    python tools/version_matrix.py                           # every row; 6 GB and 15 minutes each
    python tools/version_matrix.py --row oldest --keep       # one row; its environment stays
    python tools/version_matrix.py --row oldest --tests tests/clip tests/test_compat.py

Needs Python alone: pip brings the rest into `.venv-ROW`, which is removed afterwards. Constraints
of this machine's pip are lifted, since a row says its versions itself. The table is written at the
end, for the rows that ran the whole suite, with failures where there were any; `compat.TESTED` then
has to say the same. `--tests` writes nothing.
"""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# by its file: the package needs mmcv, this tool only Python
Parser = runpy.run_path(str(ROOT / 'mmseg_zsclip' / 'cli' / 'parsing.py'))['Parser']
TABLE = ROOT / 'docs' / 'install.md'
BEGIN, END = '<!-- matrix: written by tools/version_matrix.py -->', '<!-- end of matrix -->'
PARALLEL = ('-n', '2', '--dist', 'loadfile')  # as `make test`
SHOWN = ('torch', 'torchvision', 'numpy', 'transformers', 'mmcv-lite')


@dataclass(frozen=True)
class Row:
    """One environment: the Pythons that fit, the best first; what pip is told beside the extras;
    and what is replaced afterwards, against the extras' own bounds."""

    name: str
    pythons: tuple[str, ...]
    pins: tuple[str, ...] = ()
    afterwards: tuple[str, ...] = ()


# No part of the oldest rows, whose torch exports nothing to ONNX.
ONNX = ('onnx', 'onnxruntime', 'onnxscript')
ROWS = (
    # torch 2.1 has no wheel for Python 3.12, was built against numpy 1, and transformers 4.50 and
    # later ask for more.
    Row(
        'oldest',
        ('3.10', '3.11'),
        ('torch==2.1.2', 'torchvision==0.16.2', 'numpy<2', 'transformers<4.50'),
    ),
    Row(
        'torch 2.6',
        ('3.12', '3.11', '3.10', '3.13'),
        ('torch==2.6.0', 'torchvision==0.21.0', 'numpy>=2'),
    ),
    Row(
        'constraints',
        ('3.11', '3.12', '3.13', '3.10'),
        ('-c', 'requirements/constraints.txt', *ONNX),
    ),
    Row('newest', ('3.13', '3.12', '3.11', '3.10'), ONNX, afterwards=('transformers>=5',)),
)


def find_python(versions: tuple[str, ...]) -> str:
    """Path of the first of these Pythons (such as '3.10') that runs.

    Raises:
        FileNotFoundError: none does; says where it looked.
    """
    tried = []
    for version in versions:
        for path in candidates(version):
            tried.append(path)
            ask = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])'
            try:  # a shim of pyenv is a file that may run nothing
                done = subprocess.run(
                    [path, '-c', ask], capture_output=True, text=True, check=False
                )
            except OSError:
                continue
            if done.returncode == 0 and done.stdout.strip() == version:
                return path
    raise FileNotFoundError(
        f'no Python {" or ".join(versions)} with venv runs here; tried '
        f'{", ".join(tried) or "nothing: none is on PATH"}. Install one (pyenv, your system).'
    )


def candidates(version: str) -> Iterator[str]:
    for name in (f'python{version}', 'python3', 'python'):
        found = shutil.which(name)
        if found:
            yield found
    for root in (os.environ.get('PYENV_ROOT'), Path.home() / '.pyenv'):
        if root:
            yield from map(str, sorted(Path(root, 'versions').glob(f'{version}.*/bin/python')))


def call(*command: str) -> None:
    print('+', ' '.join(command), flush=True)
    subprocess.run(command, cwd=ROOT, check=True, env=clean_environment())


def clean_environment() -> dict[str, str]:
    """Ours without what would change a row: constraints of pip, and packages from elsewhere."""
    left_out = ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV', 'PIP_BUILD_CONSTRAINT')
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return dict(kept, PIP_CONSTRAINT=os.devnull)


def build(row: Row, folder: Path) -> str:
    """Makes the environment of a row anew; returns its Python."""
    shutil.rmtree(folder, ignore_errors=True)
    call(find_python(row.pythons), '-m', 'venv', str(folder))
    python = str(folder / 'bin' / 'python')
    pip = (python, '-m', 'pip', 'install', '--quiet', '--progress-bar=off')
    call(*pip, '-e', '.[lite,tests,docs,demo]', *row.pins)
    if row.afterwards:
        call(*pip, '--upgrade', *row.afterwards)
    opencv = subprocess.run([python, '-c', 'import cv2'], capture_output=True, check=False)
    if opencv.returncode:  # it wants a display's libraries; the same release without them
        version = versions_of(python)['opencv-python']
        call(python, '-m', 'pip', 'uninstall', '--quiet', '-y', 'opencv-python')
        call(*pip, f'opencv-python-headless=={version}')
    return python


def versions_of(python: str) -> dict[str, str]:
    """Installed distribution: its version, in the environment of `python`; and 'python'."""
    ask = (
        'import importlib.metadata as m, json, platform; print(json.dumps('
        '{d.metadata["Name"]: d.version for d in m.distributions()} '
        '| {"python": platform.python_version()}))'
    )
    return json.loads(
        subprocess.run(
            [python, '-c', ask],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=clean_environment(),
        ).stdout
    )


def run_tests(python: str, tests: list[str]) -> tuple[int, str]:
    """pytest's exit status and its closing line; prints what it prints."""
    command = [python, '-m', 'pytest', '-p', 'no:cacheprovider', *PARALLEL, *tests]
    print('+', ' '.join(command), flush=True)
    last = ''
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(clean_environment(), OMP_NUM_THREADS='1'),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout:
            print(line, end='', flush=True)
            last = line.strip() or last
    return process.returncode, last


def result_of(closing: str) -> str:
    """'812 passed, 9 skipped' of pytest's closing line; the line itself where it is another."""
    counts = re.findall(r'\d+ (?:failed|passed|skipped|errors?|xfailed|xpassed)\b', closing)
    return ', '.join(counts) or closing


def table_with(text: str, name: str, versions: dict[str, str], result: str, day: str) -> str:
    """`text` with a row's line between the markers put in or replaced; the others stay."""
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    lines = {line.split('|')[1].strip(): line for line in old.strip().splitlines()[2:]}
    cells = [name, versions['python'], *(versions.get(each, 'none') for each in SHOWN), result, day]
    lines[name] = f'| {" | ".join(cells)} |'
    head = ['row', 'Python', *SHOWN, 'whole suite, on a CPU', 'day']
    table = [f'| {" | ".join(head)} |', '| --- ' * len(head) + '|']
    table += [lines[row.name] for row in ROWS if row.name in lines]
    return '\n'.join([before + BEGIN, *table, END + after])


def run_row(row: Row, tests: list[str], keep: bool, table: list[tuple]) -> str:
    """'' if a row is green; else what went wrong, in a line. What `table_with` needs to know of a
    run of the whole suite is added to `table`."""
    folder = ROOT / f'.venv-{row.name.replace(" ", "-")}'
    try:
        python = build(row, folder)
        status, closing = run_tests(python, tests)
        if not tests:
            table.append(
                (row.name, versions_of(python), result_of(closing), time.strftime('%Y-%m-%d'))
            )
        return '' if status == 0 else f'pytest ended with status {status}: {closing}'
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        return str(error)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = Parser(description=__doc__.split('\n')[0])
    names = [row.name for row in ROWS]
    parser.add_argument('--row', choices=names, action='append', help='all, if left out')
    parser.add_argument(
        '--tests',
        nargs='+',
        default=[],
        metavar='PATH',
        help='only these; the table stays as it is',
    )
    parser.add_argument('--keep', action='store_true', help='leave the environments')
    args = parser.parse_args()
    table, wrong = [], {}
    try:
        for row in ROWS:
            if row.name in (args.row or names):
                wrong[row.name] = run_row(row, args.tests, args.keep, table)
    finally:  # not before: a test compares it with `compat.TESTED`
        for ran in table:
            TABLE.write_text(table_with(TABLE.read_text(encoding='utf-8'), *ran), encoding='utf-8')
    for name, reason in wrong.items():
        print(f'row {name!r}: {reason or "green"}')
    return int(any(wrong.values()))


if __name__ == '__main__':
    sys.exit(main())
