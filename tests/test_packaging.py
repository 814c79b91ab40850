"""What an install brings, and what it leaves alone. Builds run on a copy of the sources."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    'mmseg_zsclip',
    'configs',
    'tools',
    'requirements',
    'setup.py',
    'pyproject.toml',
    'MANIFEST.in',
    'README.md',
    'LICENSE',
    'model-index.yml',
)
STACK = {'torch', 'torchvision', 'mmcv', 'mmcv-lite', 'mmengine', 'mmsegmentation', 'mmdet'}
# Brings the stack: open_clip_torch itself depends on torch and torchvision.
HEAVY = STACK | {'open_clip_torch', 'open-clip-torch', 'timm', 'transformers'}


def names(extra: str) -> set[str]:
    lines = (ROOT / 'requirements' / f'{extra}.txt').read_text().splitlines()
    return {
        re.match(r'[\w.-]+', line).group().lower()
        for line in lines
        if line.strip() and not line.startswith('#')
    }


def build(kind: str, source: Path, out: Path) -> Path:
    """Runs one PEP 517/660 hook of setuptools in a process of its own; returns what it built."""
    out.mkdir(parents=True, exist_ok=True)
    code = f'from setuptools import build_meta; print(build_meta.build_{kind}({str(out)!r}))'
    run = subprocess.run(
        [sys.executable, '-c', code], cwd=source, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return out / run.stdout.strip().splitlines()[-1]


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    ignored = shutil.ignore_patterns('__pycache__', '.mim', '*.egg-info')
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=ignored)
        else:
            shutil.copy2(ROOT / part, folder / part)
    return folder


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    """The wheel built from the sdist, unpacked: nothing may depend on files the sdist lacks."""
    out = tmp_path_factory.mktemp('wheel')
    with tarfile.open(build('sdist', source, out)) as archive:
        archive.extractall(out, filter='data')
    (unpacked,) = (path for path in out.iterdir() if path.is_dir())
    with zipfile.ZipFile(build('wheel', unpacked, out)) as archive:
        archive.extractall(out / 'site')
    return out / 'site'


def metadata(site: Path):
    (info,) = site.glob('*.dist-info')
    return importlib.metadata.Distribution.at(info)


def test_a_plain_install_never_touches_torch_mmcv_or_mmseg(wheel):
    plain = [
        requirement for requirement in metadata(wheel).requires if 'extra ==' not in requirement
    ]
    found = {re.match(r'[\w.-]+', requirement).group().lower() for requirement in plain}
    assert found == names('runtime')
    assert not found & HEAVY


def test_ftfy_and_regex_are_hard_requirements():
    assert {'ftfy', 'regex'} <= names('runtime')


def test_the_lite_extra_brings_the_whole_stack_without_compiled_mmcv(wheel):
    assert names('lite') >= STACK - {'mmcv'}
    assert 'mmcv' not in names('lite')
    assert set(metadata(wheel).metadata.get_all('Provides-Extra')) >= {
        'lite',
        'tests',
        'demo',
        'mim',
    }


def test_tests_and_demo_extras_do_not_bring_another_stack():
    assert not (names('tests') | names('demo') | names('docs')) & STACK


def test_python_range_is_the_contracts(wheel):
    assert metadata(wheel).metadata['Requires-Python'] == '>=3.10'


def test_the_zsclip_command_is_installed(wheel):
    (script,) = metadata(wheel).entry_points.select(group='console_scripts')
    assert (script.name, script.value) == ('zsclip', 'mmseg_zsclip.cli:main')


def test_a_wheel_holds_every_config_tool_and_class_list(wheel):
    package = wheel / 'mmseg_zsclip'
    for folder, pattern in (('configs', '*.py'), ('tools', '*')):
        expected = {
            path.relative_to(ROOT)
            for path in (ROOT / folder).rglob(pattern)
            if path.is_file() and '__pycache__' not in path.parts
        }
        assert expected
        shipped = {path.relative_to(package / '.mim') for path in (package / '.mim').rglob('*')}
        assert expected <= shipped
    index = (package / '.mim' / 'model-index.yml').read_text()  # what `mim search` reads
    listed = re.findall(r'^- (\S+)$', index, re.MULTILINE)
    assert listed
    assert all((package / '.mim' / name).is_file() for name in listed)
    lists = {path.name for path in (ROOT / 'mmseg_zsclip/vocabulary/names').glob('*.txt')}
    assert lists
    assert lists == {path.name for path in (package / 'vocabulary/names').glob('*.txt')}


def test_a_wheel_holds_the_embedded_weights_and_stays_small(wheel):
    weights = Path('mmseg_zsclip') / 'toy' / 'weights'
    sizes = {path.name: path.stat().st_size for path in (ROOT / weights).glob('*.pt')}
    shipped = {path.name: path.stat().st_size for path in (wheel / weights).glob('*.pt')}
    assert shipped == sizes
    assert all(size < 10_000_000 for size in sizes.values())


def test_a_wheel_holds_nothing_beside_the_package(wheel):
    assert {path.name for path in wheel.iterdir() if path.suffix != '.dist-info'} == {
        'mmseg_zsclip'
    }
    assert not list(wheel.rglob('__pycache__'))


def test_an_installed_wheel_finds_and_reads_every_config_from_an_empty_directory(wheel, tmp_path):
    code = (
        'from mmengine.config import Config\n'
        'from mmseg_zsclip.apis import find_config, shipped_configs\n'
        'import mmseg_zsclip\n'
        'print(mmseg_zsclip.__file__)\n'
        'for path in shipped_configs(): Config.fromfile(find_config(path.stem)); print(path)\n'
    )
    run = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'PYTHONPATH': str(wheel)},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    package, *configs = run.stdout.splitlines()
    assert package.startswith(str(wheel))
    assert configs
    assert all(path.startswith(str(wheel / 'mmseg_zsclip' / '.mim')) for path in configs)


def test_an_editable_install_leads_mim_to_the_sources(source, tmp_path):
    """mim looks for `.mim` beside the dist-info, where an editable install has no package."""
    with zipfile.ZipFile(build('editable', source, tmp_path)) as archive:
        archive.extractall(tmp_path / 'site')
    mim = tmp_path / 'site' / 'mmseg_zsclip' / '.mim'
    for path in (source / 'configs').rglob('*.py'):
        stub = (mim / path.relative_to(source)).read_text()
        assert ast.literal_eval(stub.removeprefix('_base_ = ')) == [str(path)]
    assert str(source / 'tools' / 'train.py') in (mim / 'tools' / 'train.py').read_text()
    (pth,) = (tmp_path / 'site').glob('*.pth')
    assert Path(pth.read_text().strip()).samefile(source)
    assert not (source / 'mmseg_zsclip' / '.mim').exists()


def test_no_module_needs_pkg_resources_which_setuptools_82_dropped():
    for path in [
        *(ROOT / 'mmseg_zsclip').rglob('*.py'),
        *(ROOT / 'tools').rglob('*.py'),
        ROOT / 'setup.py',
    ]:
        tree = ast.parse(path.read_text())
        imported = {
            name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for name in node.names
        } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert 'pkg_resources' not in imported, path


def test_the_model_index_names_files_that_exist():
    listed = re.findall(r'^- (\S+)$', (ROOT / 'model-index.yml').read_text(), re.MULTILINE)
    assert listed
    assert [name for name in listed if not (ROOT / name).is_file()] == []


def test_the_licence_is_apache_2():
    text = (ROOT / 'LICENSE').read_text()
    assert 'Apache License' in text
    assert 'Version 2.0, January 2004' in text


def test_the_package_speaks_one_dialect():
    """Relative imports inside it, but for suites, which are read as files; and single backticks."""
    for path in (ROOT / 'mmseg_zsclip').rglob('*.py'):
        text = path.read_text()
        absolute = re.search(r'^\s*(from|import) mmseg_zsclip', text, re.MULTILINE)
        assert not absolute or path.parent.name == 'suites', path
        assert '``' not in text, path
        assert not re.search(r':(func|class|meth|mod):`', text), path
