from .corrupt import Corrupt
from .hide_unseen import HideUnseen
from .load_instances import LoadInstances
from .load_labels import LoadLabels, LoadPhoto, NoLabels

__all__ = ['Corrupt', 'HideUnseen', 'LoadInstances', 'LoadLabels', 'LoadPhoto', 'NoLabels']
