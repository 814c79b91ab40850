from .benchmarks import (
    ADE150Dataset,
    ADE847Dataset,
    CityscapesDataset,
    COCOStuff164kDataset,
    Context59Dataset,
    Context60Dataset,
    Context459Dataset,
    VOC20Dataset,
    VOC21Dataset,
)
from .camvid import CamVidDataset
from .transforms import HideUnseen, LoadLabels

__all__ = [
    'ADE150Dataset',
    'ADE847Dataset',
    'COCOStuff164kDataset',
    'CamVidDataset',
    'CityscapesDataset',
    'Context59Dataset',
    'Context60Dataset',
    'Context459Dataset',
    'HideUnseen',
    'LoadLabels',
    'VOC20Dataset',
    'VOC21Dataset',
]
