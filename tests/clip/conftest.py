"""Tiny CLIPs: ours, and open_clip's with the same sizes and random weights."""

import pytest
import torch

from mmseg_zsclip.clip import checkpoint
from mmseg_zsclip.clip.archs import CLIPArch

TINY_VIT = CLIPArch('tiny-vit', 16, 32, 2, 32, 8, 2, 24, 2, 2)
TINY_RESNET = CLIPArch('tiny-resnet', 16, 64, (1, 2, 1, 1), 8, None, 4, 24, 2, 2)


def open_clip_twin(arch, seed=0):
    """open_clip's CLIP of the same sizes; every tensor random, batch statistics included."""
    from open_clip.model import CLIP

    vision = dict(
        image_size=arch.image_size,
        layers=arch.vision_layers,
        width=arch.vision_width,
        mlp_ratio=arch.vision_mlp_ratio,
        patch_size=arch.patch_size,
        head_width=arch.vision_width * (32 if arch.is_resnet else 1) // arch.vision_heads,
    )
    text = dict(
        context_length=arch.context_length,
        vocab_size=arch.vocab_size,
        width=arch.text_width,
        heads=arch.text_heads,
        layers=arch.text_layers,
    )
    torch.manual_seed(seed)
    model = CLIP(arch.embed_dim, vision, text, quick_gelu=arch.activation == 'quick_gelu').eval()
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 2)
        elif value.is_floating_point() and value.ndim == 1:
            value.add_(0.3 * torch.randn_like(value))
    return model


@pytest.fixture(autouse=True)
def fresh_memory():
    """No test sees what another one read."""
    checkpoint._recent.clear()
    yield
    checkpoint._recent.clear()


def write(path, change=lambda state: None, arch=TINY_VIT):
    """An open_clip state dict at `path`, after `change`."""
    state = open_clip_twin(arch).state_dict()
    change(state)
    torch.save(state, path)
    return path


def drop(*starts):
    """For `write`: without the tensors whose names start so."""

    def change(state):
        for key in [key for key in state if key.startswith(starts)]:
            del state[key]

    return change
