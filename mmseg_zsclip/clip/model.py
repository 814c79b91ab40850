"""A CLIP: an image tower, a text tower and the learned scale of their similarity."""

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from .text import TextTransformer
from .vit import VisionTransformer

if TYPE_CHECKING:
    from .archs import CLIPArch


def build_visual(arch: 'CLIPArch') -> nn.Module:
    """Image tower with random weights: `VisionTransformer`, or `ModifiedResNet` for RN* names."""
    if arch.patch_size is None:
        from .resnet import ModifiedResNet

        return ModifiedResNet(
            image_size=arch.image_size,
            layers=arch.vision_layers,
            width=arch.vision_width,
            heads=arch.vision_heads,
            output_dim=arch.embed_dim,
        )
    return VisionTransformer(
        image_size=arch.image_size,
        patch_size=arch.patch_size,
        width=arch.vision_width,
        layers=arch.vision_layers,
        heads=arch.vision_heads,
        output_dim=arch.embed_dim,
        activation=arch.activation,
        mlp_ratio=arch.vision_mlp_ratio,
        norm_eps=arch.norm_eps,
    )


def build_text(arch: 'CLIPArch') -> TextTransformer:
    """Text tower with random weights."""
    return TextTransformer(
        width=arch.text_width,
        layers=arch.text_layers,
        heads=arch.text_heads,
        output_dim=arch.embed_dim,
        context_length=arch.context_length,
        vocab_size=arch.vocab_size,
        activation=arch.activation,
        norm_eps=arch.norm_eps,
    )


class CLIP(nn.Module):
    """`visual` and `text` towers and `logit_scale` (a logarithm, 1/0.07 before training)."""

    def __init__(self, arch: 'CLIPArch') -> None:
        super().__init__()
        self.arch = arch
        self.visual = build_visual(arch)
        self.text = build_text(arch)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
