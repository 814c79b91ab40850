"""CLIP segments what nobody has labelled: an MMSegmentation plugin."""
from mmseg_zsclip import compat

compat.setup()

__version__ = '0.1.0'
