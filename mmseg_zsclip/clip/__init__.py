"""CLIP in plain PyTorch: towers in walkable parts, weights by name or path, text embeddings."""

from .archs import ARCHS, CLIP_MEAN, CLIP_STD, CLIPArch, get_arch, to_255
from .checkpoint import (
    ClipWeights,
    load_clip,
    load_text,
    load_visual,
    read_weights,
    save_clip,
)
from .download import DownloadError
from .model import CLIP, build_text, build_visual
from .prompts import class_embeddings, get_templates, known_words
from .resnet import ModifiedResNet
from .text import TextTransformer
from .tokenizer import tokenize
from .vit import VisionTransformer

__all__ = [
    'ARCHS',
    'CLIP',
    'CLIP_MEAN',
    'CLIP_STD',
    'CLIPArch',
    'ClipWeights',
    'DownloadError',
    'ModifiedResNet',
    'TextTransformer',
    'VisionTransformer',
    'build_text',
    'build_visual',
    'class_embeddings',
    'get_arch',
    'get_templates',
    'known_words',
    'load_clip',
    'load_text',
    'load_visual',
    'read_weights',
    'save_clip',
    'to_255',
    'tokenize',
]
