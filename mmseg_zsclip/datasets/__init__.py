from .benchmarks import (
    ADE150Dataset,
    ADE847Dataset,
    ADEPanopticDataset,
    CityscapesDataset,
    COCO65Dataset,
    COCOObjectDataset,
    COCOPanopticDataset,
    COCOStuff164kDataset,
    Context59Dataset,
    Context60Dataset,
    Context459Dataset,
    VOC20Dataset,
    VOC21Dataset,
)
from .camvid import CamVidDataset
from .settings import JoinedDataset, hide_labels
from .transforms import Corrupt, HideUnseen, LoadLabels, LoadPhoto, NoLabels

__all__ = [
    'ADE150Dataset',
    'ADE847Dataset',
    'ADEPanopticDataset',
    'COCO65Dataset',
    'COCOObjectDataset',
    'COCOPanopticDataset',
    'COCOStuff164kDataset',
    'CamVidDataset',
    'CityscapesDataset',
    'Context59Dataset',
    'Context60Dataset',
    'Context459Dataset',
    'Corrupt',
    'HideUnseen',
    'JoinedDataset',
    'LoadLabels',
    'LoadPhoto',
    'NoLabels',
    'VOC20Dataset',
    'VOC21Dataset',
    'hide_labels',
]
