"""CLIP segments what nobody has labelled: an MMSegmentation plugin."""
__version__ = '0.1.0'
