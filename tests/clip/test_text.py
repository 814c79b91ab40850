from dataclasses import replace

import pytest
import torch

from mmseg_zsclip.clip.model import build_text
from mmseg_zsclip.clip.tokenizer import tokenize

from .conftest import TINY_VIT, open_clip_twin

TEXTS = ['a photo of a cat.', 'x', 'a very long description of a red bus ' * 5]


@pytest.mark.parametrize('activation', ['gelu', 'quick_gelu'])
@torch.no_grad()
def test_equals_open_clip(activation):
    arch = replace(TINY_VIT, activation=activation)
    theirs = open_clip_twin(arch)
    ours = build_text(arch).eval()
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith('visual.')}
    del state['logit_scale']
    ours.load_state_dict(state, strict=True)
    tokens = tokenize(TEXTS)
    expected = theirs.encode_text(tokens)
    torch.testing.assert_close(ours(tokens), expected, rtol=1e-5, atol=1e-5)
    for row, text in zip(expected, TEXTS, strict=True):
        torch.testing.assert_close(ours(tokenize([text]))[0], row, rtol=1e-5, atol=1e-5)


def test_gradients_flow_to_learned_words():
    text = build_text(TINY_VIT)
    tokens = tokenize(['a photo of a cat.'])
    words = text.embed(tokens).detach().requires_grad_()
    text.encode(words, tokens.argmax(-1)).sum().backward()
    eot = int(tokens.argmax(-1))
    assert words.grad[0, : eot + 1].abs().sum(-1).min() > 0
    assert words.grad[0, eot + 1 :].abs().sum() == 0
