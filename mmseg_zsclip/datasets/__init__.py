from .camvid import CamVidDataset
from .transforms import HideUnseen, LoadLabels

__all__ = ['CamVidDataset', 'HideUnseen', 'LoadLabels']
