"""tools/analysis_tools/macs.py: the counts are those of the products written by hand,
on every torch."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

B, L, D, HEADS = 2, 5, 8, 2
PROJECTIONS = B * L * 4 * D * D
PRODUCTS = 2 * B * L * L * D  # queries with keys, then weights with values


@pytest.fixture
def macs(load_tool):
    return load_tool('analysis_tools/macs.py')


@pytest.mark.parametrize('batch_first', [True, False])
@pytest.mark.parametrize('need_weights', [True, False])
@pytest.mark.parametrize('frozen', [True, False])
def test_torchs_attention_counts_the_same_on_its_fast_path_and_off_it(
    macs, batch_first, need_weights, frozen
):
    """FlopCounterMode gave 90.8 instead of 110.4 GMACs, from one torch to the next."""
    attention = nn.MultiheadAttention(D, HEADS, batch_first=batch_first).eval()
    attention.requires_grad_(not frozen)
    x = torch.randn((B, L, D) if batch_first else (L, B, D))
    run = lambda: attention(x, x, x, need_weights=need_weights)
    assert macs.count_macs(run) == PROJECTIONS + PRODUCTS
    with torch.inference_mode():
        assert macs.count_macs(run) == PROJECTIONS + PRODUCTS


def test_a_whole_encoder_layer_of_torch(macs):
    layer = nn.TransformerEncoderLayer(D, HEADS, dim_feedforward=12, batch_first=True).eval()
    x = torch.randn(B, L, D)
    assert macs.count_macs(lambda: layer(x)) == PROJECTIONS + PRODUCTS + B * L * 2 * 12 * D
    layer.train()
    assert macs.count_macs(lambda: layer(x)) == PROJECTIONS + PRODUCTS + B * L * 2 * 12 * D


@pytest.mark.parametrize('causal', [True, False])
def test_scaled_dot_products_of_other_lengths(macs, causal):
    q, k, v = torch.randn(B, HEADS, 3, 4), torch.randn(B, HEADS, 7, 4), torch.randn(B, HEADS, 7, 6)
    counted = macs.count_macs(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal))
    assert counted == B * HEADS * 3 * 7 * (4 + 6)


@pytest.mark.parametrize(
    ('run', 'expected'),
    [
        (lambda: F.linear(torch.ones(3, 4), torch.ones(5, 4), torch.ones(5)), 3 * 4 * 5),
        (lambda: torch.ones(2, 3, 4) @ torch.ones(2, 4, 5), 2 * 3 * 4 * 5),
        (lambda: torch.ones(2, 3, 4) @ torch.ones(4, 5), 2 * 3 * 4 * 5),
        (lambda: torch.ones(3, 4) @ torch.ones(4), 3 * 4),
        (lambda: torch.ones(4) @ torch.ones(4), 4),
        (
            lambda: torch.einsum('bqd,bdhw->bqhw', torch.ones(2, 3, 4), torch.ones(2, 4, 5, 6)),
            2 * 3 * 4 * 5 * 6,
        ),
        (
            lambda: torch.baddbmm(torch.ones(2, 3, 5), torch.ones(2, 3, 4), torch.ones(2, 4, 5)),
            2 * 3 * 4 * 5,
        ),
        (
            lambda: F.conv2d(torch.ones(2, 4, 8, 8), torch.ones(6, 4, 3, 3), padding=1),
            2 * 8 * 8 * 6 * 4 * 3 * 3,
        ),
        (
            lambda: F.conv2d(torch.ones(2, 4, 8, 8), torch.ones(4, 1, 3, 3), padding=1, groups=4),
            2 * 8 * 8 * 4 * 3 * 3,
        ),
        (
            lambda: F.conv_transpose2d(torch.ones(2, 4, 8, 8), torch.ones(4, 6, 2, 2), stride=2),
            2 * 8 * 8 * 4 * 6 * 2 * 2,
        ),
        (lambda: F.interpolate(torch.ones(1, 1, 4, 4), scale_factor=2.0, mode='bilinear'), 0),
        (lambda: F.layer_norm(torch.ones(3, 4).softmax(-1), (4,)), 0),
    ],
)
def test_counts_by_hand(macs, run, expected):
    assert macs.count_macs(run) == expected
    with torch.inference_mode():
        assert macs.count_macs(run) == expected


def test_a_product_without_a_rule_is_an_error_not_a_zero(macs):
    bilinear = nn.Bilinear(2, 3, 4)
    with pytest.raises(
        NotImplementedError, match='no rule counts .*trilinear.*tools/analysis_tools/macs.py'
    ):
        macs.count_macs(lambda: bilinear(torch.ones(5, 2), torch.ones(5, 3)))
