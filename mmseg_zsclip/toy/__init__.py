"""The embedded default: a cartoon world with exact truth, its data set,
a tiny CLIP trained on it."""

from .world import Scene, Thing, World

__all__ = ['Scene', 'Thing', 'World']
