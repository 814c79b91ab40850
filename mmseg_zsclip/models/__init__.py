"""Encoders, the segmentor, and one file per method."""

from .detector_proposals import DetectorProposals
from .distillation import ProgressiveDistillation
from .encoders import CLIPResNet, CLIPVisionTransformer
from .fusion import Ensemble, UpperBound, ZegFormerEnsemble
from .given_proposals import FileProposals, SplitMergedProposals, TrueProposals
from .ip_clip import IPCLIPResNet, IPCLIPViT
from .maft import MAFT
from .mask_classifiers import MaskPooling, SubImageCLIP
from .maskclip import MaskCLIPHead, MaskCLIPResNet, MaskCLIPViT
from .maskclip_plus import DeepLabV2Head, TextHead
from .masqclip import MasQCLIP, MasQCLIPViT
from .mta_clip import MTACLIPHead
from .pixel_text import PixelTextHead, PixelTextResNet, PixelTextViT
from .preprocessor import CLIPDataPreProcessor
from .query_proposals import QueryProposals
from .sam_proposals import SAMProposals
from .segmentor import OneStageSegmentor
from .self_trained_maft import SelfTrainedMAFT
from .self_training import SelfTrainedSegmentor
from .tta import MeanTTAModel
from .two_stage import TwoStageSegmentor
from .vit_pyramid import NormedPyramid
from .vocabulary import Vocabulary
from .zegclip import DeepPromptedViT, ZegCLIPHead

__all__ = [
    'MAFT',
    'CLIPDataPreProcessor',
    'CLIPResNet',
    'CLIPVisionTransformer',
    'DeepLabV2Head',
    'DeepPromptedViT',
    'DetectorProposals',
    'Ensemble',
    'FileProposals',
    'IPCLIPResNet',
    'IPCLIPViT',
    'MTACLIPHead',
    'MasQCLIP',
    'MasQCLIPViT',
    'MaskCLIPHead',
    'MaskCLIPResNet',
    'MaskCLIPViT',
    'MaskPooling',
    'MeanTTAModel',
    'NormedPyramid',
    'OneStageSegmentor',
    'PixelTextHead',
    'PixelTextResNet',
    'PixelTextViT',
    'ProgressiveDistillation',
    'QueryProposals',
    'SAMProposals',
    'SelfTrainedMAFT',
    'SelfTrainedSegmentor',
    'SplitMergedProposals',
    'SubImageCLIP',
    'TextHead',
    'TrueProposals',
    'TwoStageSegmentor',
    'UpperBound',
    'Vocabulary',
    'ZegCLIPHead',
    'ZegFormerEnsemble',
]
