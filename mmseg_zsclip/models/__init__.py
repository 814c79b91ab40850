"""Encoders, the segmentor, and one file per method."""
from .encoders import CLIPResNet, CLIPVisionTransformer
from .fusion import Ensemble, UpperBound
from .given_proposals import FileProposals, TrueProposals
from .ip_clip import IPCLIPResNet, IPCLIPViT
from .maft import MAFT
from .mask_classifiers import MaskPooling, SubImageCLIP
from .maskclip import MaskCLIPHead, MaskCLIPResNet, MaskCLIPViT
from .maskclip_plus import DeepLabV2Head, TextHead
from .preprocessor import CLIPDataPreProcessor
from .query_proposals import QueryProposals
from .segmentor import OneStageSegmentor
from .self_training import SelfTrainedSegmentor
from .tta import MeanTTAModel
from .two_stage import TwoStageSegmentor
from .vocabulary import Vocabulary
from .zegclip import DeepPromptedViT, ZegCLIPHead

__all__ = [
    'MAFT',
    'CLIPDataPreProcessor',
    'CLIPResNet',
    'CLIPVisionTransformer',
    'DeepLabV2Head',
    'DeepPromptedViT',
    'Ensemble',
    'FileProposals',
    'IPCLIPResNet',
    'IPCLIPViT',
    'MaskCLIPHead',
    'MaskCLIPResNet',
    'MaskCLIPViT',
    'MaskPooling',
    'MeanTTAModel',
    'OneStageSegmentor',
    'QueryProposals',
    'SelfTrainedSegmentor',
    'SubImageCLIP',
    'TextHead',
    'TrueProposals',
    'TwoStageSegmentor',
    'UpperBound',
    'Vocabulary',
    'ZegCLIPHead'
]
