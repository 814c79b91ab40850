from .corrupt import Corrupt
from .hide_unseen import HideUnseen
from .load_labels import LoadLabels, NoLabels

__all__ = ['Corrupt', 'HideUnseen', 'LoadLabels', 'NoLabels']
