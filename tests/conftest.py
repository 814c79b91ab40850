"""What several tests need: small photos with label maps, the development data, tools as modules."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

TOOLS = Path(__file__).parents[1] / 'tools'


@pytest.fixture(scope='session')
def load_tool():
    """A script below `tools`, by its path there, as a fresh module;
    it can import those beside it."""

    def load(name):
        path = TOOLS / name
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(path.parent)
            spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope='session')
def whole_graphs():
    """Skips where torch.compile is too old to trace a method whole."""
    if not hasattr(torch.compiler, 'set_stance'):  # came with 2.6
        pytest.skip(f'needs torch 2.6 to trace a method whole; this is {torch.__version__}')


@pytest.fixture(scope='session')
def shared():
    """The folder of the development data: ZSCLIP_SHARED, or `shared` beside the repository."""
    default = Path(__file__).parents[2] / 'shared'
    folder = Path(os.environ.get('ZSCLIP_SHARED', default))
    if not (folder / 'data').is_dir():
        pytest.skip(f'no data folder in {folder}: set ZSCLIP_SHARED')
    return folder


@pytest.fixture(scope='session')
def photo_folder(tmp_path_factory):
    """4 photos `img/{0..3}.png`, 64 x 96, and label maps `ann/*.png`: 0-3, and 255 ignored."""
    root = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    for part in ('img', 'ann'):
        (root / part).mkdir()
    for i in range(4):
        labels = np.kron(rng.integers(0, 4, (4, 6)), np.ones((16, 16))).astype(np.uint8)
        photo = labels[..., None] * np.array([60, 40, 20]) + rng.integers(0, 60, (64, 96, 3))
        labels[:4] = 255
        Image.fromarray(photo.astype(np.uint8)).save(root / 'img' / f'{i}.png')
        Image.fromarray(labels).save(root / 'ann' / f'{i}.png')
    return root


@pytest.fixture
def same():
    """Whether two tensors are equal: bit for bit on a CPU; on a GPU, whose sums have no fixed
    order, to three digits."""
    if torch.cuda.is_available():
        return lambda one, other: torch.allclose(one.double(), other.double(), 1e-3, 1e-4)
    return torch.equal
