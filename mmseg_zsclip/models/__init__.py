"""Encoders, the segmentor, and one file per method."""
from .class_embeddings import ClassEmbeddings
from .encoders import CLIPResNet, CLIPVisionTransformer
from .maskclip import MaskCLIPHead, MaskCLIPResNet, MaskCLIPViT
from .segmentor import ZeroShotSegmentor
from .zegclip import DeepPromptedViT, ZegCLIPHead

__all__ = [
    'CLIPResNet', 'CLIPVisionTransformer', 'ClassEmbeddings', 'DeepPromptedViT', 'MaskCLIPHead',
    'MaskCLIPResNet', 'MaskCLIPViT', 'ZegCLIPHead', 'ZeroShotSegmentor'
]
