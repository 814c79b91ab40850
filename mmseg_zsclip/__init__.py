"""CLIP segments what nobody has labelled: an MMSegmentation plugin."""

from . import compat

compat.setup()

__version__ = '0.1.0'
