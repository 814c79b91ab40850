"""What openmim does with an installed package: train, test, gridsearch and search."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHORT = [
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'val_dataloader.dataset.length=2',
    'train_dataloader.dataset.length=4',
    'val_dataloader.num_workers=0',
    'train_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'train_dataloader.persistent_workers=False',
]
needs_mim = pytest.mark.skipif(
    importlib.util.find_spec('mim') is None or importlib.util.find_spec('pkg_resources') is None,
    reason='openmim is not installed (pip install openmim, in an environment of its own: it pins '
    'setuptools 60.2)',
)


def mim(folder, *arguments):
    run = subprocess.run(
        [sys.executable, '-c', 'from mim.cli import cli; cli()', *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-1000:] + run.stderr[-2000:]
    return run.stdout


@needs_mim
def test_mim_trains_and_tests_a_config_by_name_from_an_empty_folder(tmp_path):
    out = mim(
        tmp_path,
        'train',
        'mmseg_zsclip',
        'toy_inductive.py',
        '--gpus',
        '0',
        '--work-dir',
        'run',
        '--cfg-options',
        *SHORT,
    )
    assert 'Training finished successfully' in out
    out = mim(
        tmp_path,
        'test',
        'mmseg_zsclip',
        'toy_inductive.py',
        '--checkpoint',
        'run/iter_2.pth',
        '--gpus',
        '0',
        '--cfg-options',
        'test_dataloader.dataset.length=2',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
    )
    assert 'Testing finished successfully' in out


@needs_mim
def test_mim_searches_hyper_parameters(tmp_path):
    mim(
        tmp_path,
        'gridsearch',
        'mmseg_zsclip',
        'toy_inductive.py',
        '--gpus',
        '0',
        '--work-dir',
        'run',
        '--search-args',
        '--optim_wrapper.optimizer.lr 0.1',
        '--cfg-options',
        *SHORT,
    )
    (found,) = tmp_path.glob('run*')
    assert 'lr_0.1' in found.name
    assert (found / 'iter_2.pth').is_file()


@needs_mim
def test_mim_lists_the_models(tmp_path):
    out = mim(tmp_path, 'search', 'mmseg_zsclip', '--model', 'ZegCLIP')
    assert 'configs/zegclip/voc_inductive.py' in out


def test_mim_download_is_not_promised():
    for path in [
        ROOT / 'README.md',
        *(ROOT / 'docs').glob('*.md'),
        *(ROOT / 'configs').rglob('README.md'),
    ]:
        assert 'mim download' not in path.read_text(), path
