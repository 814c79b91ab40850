from .corrupt import Corrupt
from .hide_unseen import HideUnseen
from .load_labels import LoadLabels, LoadPhoto, NoLabels

__all__ = ['Corrupt', 'HideUnseen', 'LoadLabels', 'LoadPhoto', 'NoLabels']
