"""The suite masqclip of benchmark.py: table 6, what MasQ-tuning keeps, and its cases run."""

import math

import pytest
import torch
from torch.nn import functional as F


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/benchmark_masqclip.py')


# ViT-L/14 at 336 and ViT-B/16 at 224: width, CLIP's tokens
SIZES = {'ViT-L-14-336': (1024, 336, 577), 'ViT-B-16': (768, 224, 197)}
MASK2FORMER = 78.9  # of table 6


def last_block(width, tokens):
    """Products of CLIP's tokens in the last block behind keys and values: nobody reads them."""
    return tokens * (12 - 3) * width**2 + 2 * tokens**2 * width


def test_the_papers_operations_are_reproduced(tool):
    """Table 6 counts an operation for each factor of conv1, MLPs and the own queries: 233.0 for
    CLIP; 357.2 for MasQCLIP, Mask2Former's 78.9 among them."""
    width, size, tokens = SIZES['ViT-L-14-336']
    _, clip = tool.tower_macs('ViT-L-14-336', size)
    _, ours = tool.masq_macs('ViT-L-14-336', size, 100)
    assert 2 * clip / 1e9 == pytest.approx(233.02, abs=0.005)
    as_released = ours + tokens * 8 * width**2  # the last block's MLP over CLIP's tokens
    assert MASK2FORMER + 2 * as_released / 1e9 == pytest.approx(357.22, abs=0.005)


@pytest.mark.parametrize('arch', SIZES)
def test_mask_class_tokens_cost_what_they_must(tool, arch):
    width, size, tokens = SIZES[arch]
    ours, tower = tool.masq_macs(arch, size, 100), tool.tower_macs(arch, size)
    left_out = last_block(width, tokens), tokens * 8 * width**2
    for own, reference, fewest, more in zip(
        ours, tower, tool.LIMITS[arch][1], left_out, strict=True
    ):
        assert (own + more) / reference == pytest.approx(fewest, abs=0.001)


@torch.no_grad()
def test_the_counted_model_is_the_timed_one(tool, setup):
    """Counts come from the meta device, where nothing is computed."""
    model, masks = tool.encoder(setup), [tool.boxes(5, (48, 48))]
    counted = tool.macs_of(
        lambda: model(setup.photos(), masks), model.visual, model.own['q'].children()
    )
    assert counted == tool.masq_macs('ViT-XS-8', 48, 5)


def written_out(q, k, v, attn_mask=None, dropout_p=0.0):
    """Attention as products that keep their weights: what processors without a fused one run."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (scores if attn_mask is None else scores + attn_mask).softmax(-1) @ v


@pytest.mark.parametrize('fused', [True, False])
def test_the_graph_keeps_nothing_of_clips_own_tokens_but_keys_and_values(
    tool, setup, fused, monkeypatch
):
    """Counted in elements: which shape attention keeps depends on the processor."""
    if not fused:
        monkeypatch.setattr(F, 'scaled_dot_product_attention', written_out)
    model = tool.tuned(setup).train()
    masks, v = [tool.boxes(7, (48, 48))] * 2, model.classifier.visual
    kept = tool.saved_by_graph(model, lambda: model.classifier(setup.photos(2), masks))
    tokens, heads = 1 + 6 * 6, v.blocks[0].attn.heads
    of_clip = [one.numel() for one in kept if tokens in one.shape]
    keys_or_values, mask, weights = (2 * tokens * size for size in (v.width, 7, 7 * heads))
    assert keys_or_values in of_clip
    assert set(of_clip) <= {keys_or_values, mask, weights}
    assert sum(one == keys_or_values for one in of_clip) <= 2 * len(v.blocks)


def test_cases_run(tool, setup):
    rows = list(tool.of_one_image(setup))
    assert len({row['case'] for row in rows}) == 3
    assert all(math.isfinite(row['ratio']) and row['ratio'] > 0 for row in rows)


def test_peak_memory_of_classification_and_of_tuning(tool, setup):
    assert all(
        run(setup, argument) > 0
        for run, argument in (
            (tool.look, 0),
            (tool.look, 3),
            (tool.look_at_two, None),
            (tool.tune, None),
            (tool.tokens_share, None),
        )
    )
