"""The embedded default: a cartoon world with exact truth, and a tiny CLIP trained on it."""

from .world import Scene, Thing, World

__all__ = ['Scene', 'Thing', 'World']
