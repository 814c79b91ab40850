"""A converter as a module, the pictures that it reads, and those that it wrote."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
from PIL import Image

TOOLS = Path(__file__).parents[3] / 'tools' / 'dataset_converters'


def load(name):
    spec = importlib.util.spec_from_file_location(f'converter_{name}', TOOLS / f'{name}.py')
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(array, path, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8), mode).save(path)


def read(path):
    return np.asarray(Image.open(path))


def files(root):
    return sorted(str(p.relative_to(root)) for p in root.rglob('*') if p.is_file())
