from .corrupt import Corrupt
from .hide_unseen import HideUnseen
from .load_labels import LoadLabels

__all__ = ['Corrupt', 'HideUnseen', 'LoadLabels']
