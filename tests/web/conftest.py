"""The page in a process of its own, and a browser: skipped where Gradio, playwright or Chromium is
missing."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The command, with every address that the process connects to noted in a file.
START = """
import sys
noted = open(sys.argv[1], 'a', buffering=1)
def note(event, args):
    if event in ('socket.connect', 'socket.getaddrinfo'):
        noted.write(f'{event} {args[1] if event == "socket.connect" else args[0]}\\n')
sys.addaudithook(note)
words, sys.argv = sys.argv[2:], ['zsclip']
from mmseg_zsclip.cli import main
sys.exit(main(words))
"""


@dataclass
class Served:
    """A page that runs: its address, its process, and the folders that it may touch."""

    url: str
    process: subprocess.Popen
    root: Path

    def files(self) -> list[str]:
        """What lies below home, the folder of temporary files and the working folder, but for the
        grammar that MMEngine's yapf stores at the first import, in whatever program."""
        return sorted(
            str(path.relative_to(self.root))
            for name in ('home', 'tmp', 'work')
            for path in (self.root / name).rglob('*')
            if path.is_file() and 'YAPF' not in path.parts
        )

    def connected(self) -> list[str]:
        """Addresses that the process connected to or asked for."""
        return (self.root / 'connected').read_text().splitlines()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def started(root: Path, *words: str) -> Served:
    for name in ('home', 'tmp', 'work'):
        (root / name).mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('GRADIO', 'XDG_')) and name not in ('PYTHONPATH', 'ZSCLIP_DEBUG')
    } | dict(
        HOME=str(root / 'home'),
        TMPDIR=str(root / 'tmp'),
        PYTHONPATH=os.pathsep.join([str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]),
        PYTHONDONTWRITEBYTECODE='1',
    )
    command = [sys.executable, '-c', START, str(root / 'connected'), 'demo', '--port', '0', *words]
    with open(root / 'log', 'w') as log:
        process = subprocess.Popen(
            command,
            cwd=root / 'work',
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    for line in process.stdout:
        found = re.match(r'(http://\S+:\d+)  ', line)
        if found:
            return Served(found.group(1), process, root)
    raise RuntimeError(
        f'the page ended with {process.wait()}: {(root / "log").read_text()[-2000:]}'
    )


@pytest.fixture(scope='module')
def served(tmp_path_factory):
    pytest.importorskip('gradio', reason="no Gradio: pip install -e '.[web]'")
    page = started(tmp_path_factory.mktemp('served'))
    yield page
    if page.process.poll() is None:
        page.stop()


@pytest.fixture(scope='module')
def chromium():
    sync = pytest.importorskip(
        'playwright.sync_api', reason='no playwright: pip install playwright'
    )
    path = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)
    if path is None:
        pytest.skip('no Chromium on PATH: apt-get install chromium')
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=['--no-sandbox'])
        yield browser
        browser.close()
