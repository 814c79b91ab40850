"""Encoders, the segmentor, and one file per method."""
from .class_embeddings import ClassEmbeddings
from .encoders import CLIPResNet, CLIPVisionTransformer
from .segmentor import ZeroShotSegmentor
from .zegclip import DeepPromptedViT, ZegCLIPHead

__all__ = [
    'CLIPResNet', 'CLIPVisionTransformer', 'ClassEmbeddings', 'DeepPromptedViT', 'ZegCLIPHead',
    'ZeroShotSegmentor'
]
