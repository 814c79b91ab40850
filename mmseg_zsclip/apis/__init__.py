"""What a user calls from Python. Nothing heavy is imported until a function needs it."""

from importlib import import_module

from .configs import (
    ConfigNotFoundError,
    config_root,
    find_config,
    shipped_configs,
)

HEAVY = dict(
    Segmentation='.segmentation',
    ZeroShotInferencer='.inferencer',
    ZeroShotSegmenter='.segmenter',
)

__all__ = [
    'ConfigNotFoundError',
    'Segmentation',
    'ZeroShotInferencer',
    'ZeroShotSegmenter',
    'config_root',
    'find_config',
    'shipped_configs',
]


def __getattr__(name: str):
    if name not in HEAVY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(HEAVY[name], __name__), name)
