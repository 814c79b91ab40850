"""The embedded CLIPs load as any other, are small, and know what they were taught."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.clip.archs import CLIP_MEAN, CLIP_STD, EMBEDDED, embedded
from mmseg_zsclip.clip.checkpoint import load_clip
from mmseg_zsclip.clip.prompts import class_embeddings
from mmseg_zsclip.experiments.pretraining.recipe import trained_by
from mmseg_zsclip.toy import World
from mmseg_zsclip.vocabulary.lists import load_classes


@pytest.fixture(scope='module')
def icons():
    """100 pictures of single things at 64 pixels, normalised, and their labels."""
    drawn = [World(size=64).icon('val', index) for index in range(150)]
    drawn = [icon for icon in drawn if icon.things][:100]
    pixels = torch.from_numpy(np.stack([icon.image for icon in drawn])).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (pixels - mean) / std, torch.tensor([icon.things[0].label for icon in drawn])


@pytest.mark.parametrize(('arch', 'weights'), EMBEDDED)
def test_embedded_clip_names_single_things(arch, weights, icons):
    pixels, labels = icons
    model = load_clip(arch, weights)
    if model.arch.is_resnet:
        pixels = F.interpolate(pixels, scale_factor=4)
    with torch.no_grad():
        image = F.normalize(model.visual(pixels), dim=-1)
        text = class_embeddings(model.text, load_classes('toy'), 'single')
    found = (image @ text[6:].T).argmax(1) + 6
    least = 0.2 if model.arch.is_resnet else 0.9
    assert (found == labels).float().mean() > least, 'chance is 0.07'


@pytest.mark.parametrize(('arch', 'weights'), EMBEDDED)
def test_embedded_file_is_small_and_says_how_it_was_made(arch, weights):
    path = embedded(arch, weights)
    assert path.stat().st_size < 10e6
    trained = trained_by(torch.load(path, weights_only=True)['meta'])
    loss = 'and a patch term' if weights == 'toy-dense' else 'alone'
    assert trained.startswith(f'the contrastive loss {loss},'), 'no claim is of the patch term'
