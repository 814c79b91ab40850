"""tools/version_matrix.py, without building an environment."""

import os
import subprocess
import sys

import pytest

from mmseg_zsclip import compat

VERSIONS = dict(python='3.10.13', torch='2.1.2', numpy='1.26.4', transformers='4.49.0')


@pytest.fixture
def tool(load_tool, monkeypatch):
    # dataclasses look their module up by name
    monkeypatch.setitem(sys.modules, 'version_matrix', type(sys)('version_matrix'))
    return load_tool('version_matrix.py')


def test_the_rows_span_what_is_allowed(tool):
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(compat.PYTHON)
    assert all(version in allowed for row in tool.ROWS for version in row.pythons)
    assert {row.pythons[0] for row in tool.ROWS} == {'3.10', '3.11', '3.12', '3.13'}
    assert any('numpy<2' in row.pins for row in tool.ROWS)
    assert any('numpy>=2' in row.pins for row in tool.ROWS)


def test_the_table_of_the_docs_is_what_was_run(tool):
    text = tool.TABLE.read_text(encoding='utf-8')
    lines = text.split(tool.BEGIN)[1].split(tool.END)[0].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    assert {row[0] for row in cells} <= {row.name for row in tool.ROWS}
    assert {row[2] for row in cells} == set(compat.TESTED['torch'])
    assert {row[4] for row in cells} == set(compat.TESTED['numpy'])


def test_a_row_is_replaced_and_the_others_stay(tool):
    text = f'before\n{tool.BEGIN}\n| a |\n| --- |\n{tool.END}\nafter'
    first = tool.table_with(text, 'newest', VERSIONS, '5 passed', '2026-01-01')
    both = tool.table_with(first, 'oldest', VERSIONS, '1 failed, 4 passed', '2026-01-02')
    again = tool.table_with(both, 'oldest', VERSIONS, '5 passed, 2 skipped', '2026-01-03')
    assert again.startswith('before\n')
    assert again.endswith('\nafter')
    rows = [line for line in again.splitlines() if line.startswith(('| oldest', '| newest'))]
    versions = '3.10.13 | 2.1.2 | none | 1.26.4 | 4.49.0 | none'
    assert rows == [
        f'| oldest | {versions} | 5 passed, 2 skipped | 2026-01-03 |',
        f'| newest | {versions} | 5 passed | 2026-01-01 |',
    ]


def test_failures_are_in_the_result(tool):
    line = '=== 3 failed, 41 passed, 13 skipped, 6 warnings, 1 error in 250.32s (0:04:10) ==='
    assert tool.result_of(line) == '3 failed, 41 passed, 13 skipped, 1 error'
    assert tool.result_of('Killed') == 'Killed'


def test_a_shim_that_runs_nothing_is_no_python(tool, tmp_path, monkeypatch):
    """pyenv leaves `python3.10` on PATH where no 3.10 is chosen; it ends with 127."""
    shims, own = tmp_path / 'shims', tmp_path / 'pyenv' / 'versions' / '3.10.7' / 'bin'
    for folder, body in ((shims, 'exit 127'), (own, 'echo 3.10')):
        folder.mkdir(parents=True)
        for name in ('python3.10', 'python'):
            (folder / name).write_text(f'#!/bin/sh\n{body}\n')
            os.chmod(folder / name, 0o755)
    monkeypatch.setenv('PATH', str(shims))
    monkeypatch.setenv('PYENV_ROOT', str(tmp_path / 'pyenv'))
    assert tool.find_python(('3.10', '3.11')) == str(own / 'python')
    monkeypatch.setenv('PYENV_ROOT', str(tmp_path / 'none'))
    monkeypatch.setenv('HOME', str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match='no Python 3.10 or 3.11 with venv runs here; tried'
    ):
        tool.find_python(('3.10', '3.11'))


@pytest.mark.parametrize('stage', ['build', 'run_tests'])
def test_the_environment_of_a_row_that_fails_is_removed(tool, tmp_path, monkeypatch, stage):
    """One that stayed filled the disk."""
    folder = tmp_path / '.venv-torch-2.6'

    def build(row, where):
        (where / 'bin').mkdir(parents=True)
        if stage == 'build':
            raise subprocess.CalledProcessError(1, 'pip')
        return sys.executable

    def run_tests(python, tests):
        assert folder.is_dir()
        return 1, '1 failed'

    for name, value in (('ROOT', tmp_path), ('build', build), ('run_tests', run_tests)):
        monkeypatch.setattr(tool, name, value)
    wrong = tool.run_row(tool.ROWS[1], ['tests'], False, [])
    assert wrong.endswith('non-zero exit status 1.' if stage == 'build' else ': 1 failed')
    assert not folder.exists()


def test_a_red_row_ends_with_1_and_is_named(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool, 'build', lambda row, folder: sys.executable)
    monkeypatch.setattr(
        'sys.argv',
        ['version_matrix.py', '--row', 'oldest', '--tests', 'tests/no_such_file.py', '--keep'],
    )
    # --keep: this test may run in the very environment of the row, which would be removed
    before = tool.TABLE.read_text()
    assert tool.main() == 1
    assert "row 'oldest': pytest ended with status 5" in capsys.readouterr().out
    assert tool.TABLE.read_text() == before
