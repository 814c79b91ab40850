"""`zsclip doctor` in environments that are broken in the ways users report."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmseg_zsclip import compat, environment
from mmseg_zsclip.cli import doctor, main

ROOT = Path(__file__).resolve().parents[1]
STACK = {
    'mmseg_zsclip': '0.1.0',
    'torch': '2.15.0',
    'torchvision': '0.29.2',
    'mmengine': '0.10.7',
    'mmcv-lite': '2.1.0',
    'mmsegmentation': '1.2.2',
    'mmdet': '3.3.0',
    'open_clip_torch': '3.3.0',
    'ftfy': '6.3',
    'regex': '2026.1',
    'packaging': '26.0',
    'huggingface_hub': '1.0',
    'safetensors': '0.8',
    'transformers': '5.0',
}


def lines_of(file):
    lines = (ROOT / 'requirements' / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


@pytest.fixture
def diagnose(monkeypatch, capsys):
    """Runs the doctor as if exactly the given distributions were installed."""
    lines = {'runtime': None, 'lite': 'lite', 'mminstall': 'mim', 'optional': 'optional'}
    requires = []
    for file, extra in lines.items():
        for line in lines_of(f'{file}.txt'):
            requires.append(f'{line}; extra == "{extra}"' if extra else line)
    versions = {}

    def version(name):
        if versions.get(name) is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    def run(**changes):
        versions.update(STACK)
        versions.update({name.replace('_lite', '-lite'): v for name, v in changes.items()})
        with monkeypatch.context() as patch:
            patch.setattr(importlib.metadata, 'requires', lambda name: requires)
            patch.setattr(importlib.metadata, 'version', version)
            status = main(['doctor', '--no-imports'])
        return status, capsys.readouterr().out

    return run


def test_a_complete_environment_is_well(diagnose):
    status, report = diagnose()
    assert status == 0, report
    assert '!!' not in report
    assert 'All that training and testing need is here.' in report


def test_missing_mmcv_names_the_command_that_needs_no_compiler(diagnose):
    status, report = diagnose(mmcv_lite=None)
    assert status == 1
    assert 'pip install "mmcv-lite==2.1.0" "torch==2.15.0"' in report


def test_mmcv_2_2_which_mmseg_asserts_against_is_replaced(diagnose):
    status, report = diagnose(mmcv='2.2.0', mmcv_lite=None)
    assert status == 1
    assert '2.2.0, wanted: >=2.0.0,<2.2.0' in report
    assert 'pip uninstall -y mmcv && pip install "mmcv-lite==2.1.0"' in report


def test_a_full_mmcv_is_used_as_it_is(diagnose):
    status, report = diagnose(mmcv='2.1.0', mmcv_lite=None)
    assert status == 0, report


def test_mmcv_and_mmcv_lite_at_once_are_a_fault(diagnose):
    status, report = diagnose(mmcv='2.1.0')
    assert status == 1
    assert 'mmcv twice' in report
    assert 'pip uninstall -y mmcv mmcv-lite' in report


def test_a_repair_never_upgrades_the_users_torch(diagnose):
    _, report = diagnose(open_clip_torch=None, torch='2.1.0')
    assert 'pip install "open_clip_torch>=2.29" "torch==2.1.0"' in report


@pytest.mark.parametrize(
    'name',
    ['ftfy', 'regex', 'torch', 'torchvision', 'mmengine', 'mmsegmentation', 'mmdet', 'packaging'],
)
def test_every_missing_package_is_named_with_its_repair(diagnose, name):
    status, report = diagnose(**{name: None})
    assert status == 1
    assert re.search(rf'^!! {name} +MISSING', report, re.MULTILINE)
    assert re.search(rf'^    pip install "?{name}', report, re.MULTILINE)


def test_an_old_version_is_told_from_a_missing_one(diagnose):
    status, report = diagnose(mmengine='0.9.0')
    assert status == 1
    assert '0.9.0, wanted: >=0.10.7,<1.0.0' in report


@pytest.mark.parametrize(
    ('changes', 'pair', 'repair'),
    [
        (
            dict(torch='2.1.2+cu121', torchvision='0.16.2', transformers='5.24.0'),
            'torch and transformers',
            'pip install "transformers<4.50" "torch==2.1.2+cu121"',
        ),
        (dict(torch='2.3.1', transformers='5.0.0'), 'torch and transformers', 'transformers<4.50'),
        (
            dict(torch='2.1.2', numpy='2.4.6'),
            'torch and numpy',
            'pip install "numpy<2" "opencv-python<4.12" "torch==2.1.2"',
        ),
    ],
)
def test_a_pair_that_cannot_work_is_named_with_its_repair(diagnose, changes, pair, repair):
    status, report = diagnose(**changes)
    assert status == 1
    assert re.search(rf'^!! {pair} +\S+ with ', report, re.MULTILINE)
    assert repair in report


@pytest.mark.parametrize(
    'changes',
    [
        dict(torch='2.1.2', transformers='4.49.0'),
        dict(torch='2.6.0', transformers='5.24.0'),
        dict(torch='2.1.2', transformers=None, numpy='1.26.4'),
        dict(torch='2.3.0', transformers=None, numpy='2.4.6'),
    ],
)
def test_a_pair_that_works_is_not_named(diagnose, changes):
    _, report = diagnose(**changes)
    assert not re.search(r'!! torch and ', report), report


def test_a_torchvision_for_another_torch_is_named_with_its_repair(monkeypatch):
    real = compat.installed_version
    monkeypatch.setattr(
        environment, 'installed_version', lambda name: '2.2.0' if name == 'torch' else real(name)
    )
    monkeypatch.setattr(
        importlib.metadata,
        'requires',
        lambda name: ['torch==2.6.0'] if name == 'torchvision' else [],
    )
    (row,) = (row for row in environment.pair_rows() if row.name == 'torchvision and torch')
    assert row.wanted == 'torch==2.6.0'
    assert row.fix == 'pip install "torchvision" "torch==2.2.0"'


def test_what_is_optional_is_no_fault(diagnose):
    status, report = diagnose(transformers=None)
    assert status == 0
    assert 'absent (optional)' in report


def test_installed_but_broken_is_found_by_importing(monkeypatch):
    real = importlib.import_module

    def broken(name, *rest):
        if name == 'cv2':
            raise ImportError('libGL.so.1: cannot open shared object file\nmore')
        return real(name, *rest)

    monkeypatch.setattr(importlib, 'import_module', broken)
    finding = next(doctor.import_findings())
    assert finding.state == 'ImportError: libGL.so.1: cannot open shared object file'
    assert 'opencv-python-headless' in finding.fix


def test_doctor_starts_where_nothing_is_installed(tmp_path):
    """-S hides site-packages: no torch, no mmcv, no packaging, and no metadata of our own."""
    run = subprocess.run(
        [sys.executable, '-S', '-m', 'mmseg_zsclip.cli', 'doctor'],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    assert 'import torch' in run.stdout
    assert 'pip install -e ".[lite]"' in run.stdout
    assert 'Traceback' not in run.stderr


def test_this_environment_is_well_or_says_why(capsys):
    status = main(['doctor'])
    report = capsys.readouterr().out
    assert (status == 1) == ('!!' in report)
    for part in ('python', 'ops', 'gpu', 'weights', 'configs', 'torch'):
        assert f' {part} ' in report


def test_compat_and_the_requirements_agree_on_versions():
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    listed = {}
    for file in ('runtime', 'lite', 'mminstall'):
        for line in lines_of(f'{file}.txt'):
            listed[Requirement(line).name] = Requirement(line).specifier
    for name, (wanted, _) in compat.SUPPORTED.items():
        allowed = SpecifierSet(wanted)
        if str(listed[name]).startswith('=='):  # what we install is among what we accept
            assert allowed.contains(str(listed[name]).removeprefix('=='))
        else:
            assert listed[name] == allowed, name
