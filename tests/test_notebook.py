"""The notebook runs from an empty directory, and says little.

`python tests/test_notebook.py --write` stores what its cells give now.
"""

import os
import sys
import tempfile
from pathlib import Path

import pytest

nbformat = pytest.importorskip('nbformat', reason='needs nbclient and ipykernel: .[tests]')
nbclient = pytest.importorskip('nbclient', reason='needs nbclient and ipykernel: .[tests]')
pytest.importorskip('ipykernel', reason='needs nbclient and ipykernel: .[tests]')

NOTEBOOK = Path(__file__).resolve().parents[1] / 'demo' / 'zero_shot_in_five_minutes.ipynb'
LONGEST = 2000  # characters that a cell may print
LARGEST = 150_000  # bytes of what a cell has stored


def cells_of(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


def executed(folder: str):
    """The notebook after a run in `folder`, where `zsclip` is that of this Python."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    resources = dict(metadata=dict(path=folder))
    client = nbclient.NotebookClient(
        notebook, timeout=300, coalesce_streams=True, resources=resources
    )
    client.execute(env=dict(os.environ, PATH=path))
    return notebook


def test_every_cell_runs_in_an_empty_directory_and_prints_little(tmp_path):
    cells = cells_of(executed(str(tmp_path)))
    assert sum('image/png' in one.get('data', ()) for cell in cells for one in cell.outputs) == 3
    for cell in cells:
        assert sum(len(one.get('text', '')) for one in cell.outputs) <= LONGEST, cell.source
    assert (tmp_path / 'results' / 'coco.json').is_file()


def test_what_is_stored_is_small_and_no_error():
    cells = cells_of(nbformat.read(NOTEBOOK, as_version=4))
    assert all(cell.outputs for cell in cells)
    for cell in cells:
        assert len(str(cell.outputs)) < LARGEST, cell.source
        assert 'Error' not in str(cell.outputs), cell.source


def kept(text: str) -> str:
    """What is printed, without the log and with the last state of a progress line alone."""
    lines = [line.rstrip('\r').rpartition('\r')[2] for line in text.split('\n')]
    return '\n'.join(line.removeprefix('\x1b[K') for line in lines if 'mmengine' not in line)


def write() -> None:
    """Stores what the cells give, of a picture the smaller form."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(folder)
    for cell in cells_of(notebook):
        cell.metadata.pop('execution', None)
        for one in cell.outputs:
            one.get('data', {}).pop('image/png', None)
            if 'text' in one:
                one.text = kept(one.text)
        cell.outputs = [
            one
            for one in cell.outputs
            if one.get('name') != 'stderr' and one.get('text', 'picture').strip()
        ]
    nbformat.write(notebook, NOTEBOOK)


if __name__ == '__main__' and sys.argv[1:] == ['--write']:
    write()
