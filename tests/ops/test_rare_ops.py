"""Ops of one neck or head each: CARAFE, PSANet's mask, guided anchoring's masked convolution."""

import pytest
import torch
import torch.nn.functional as F
from mmcv import ops as mmcv_ops


def rand(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def carafe_by_hand(features, masks, k, groups, scale):
    batch, channels, h, w = features.shape
    rows = []
    for b in range(batch):
        for c in range(channels):
            g = c // (channels // groups)
            for y in range(h * scale):
                for x in range(w * scale):
                    total = 0
                    for i in range(k):
                        for j in range(k):
                            row, column = y // scale + i - k // 2, x // scale + j - k // 2
                            if 0 <= row < h and 0 <= column < w:
                                tap = (g * k + i) * k + j
                                total += features[b, c, row, column] * masks[b, tap, y, x]
                    rows.append(total)
    return torch.stack(rows).view(batch, channels, h * scale, w * scale)


def test_carafe_and_its_gradients_equal_the_formula():
    features, masks = rand(1, 4, 3, 2), rand(1, 18, 6, 4, seed=1)
    got, want = mmcv_ops.carafe(features, masks, 3, 2, 2), carafe_by_hand(features, masks, 3, 2, 2)
    assert torch.allclose(got, want, atol=1e-5)
    assert torch.equal(mmcv_ops.carafe_naive(features, masks, 3, 2, 2), got)
    grad = torch.randn_like(got)
    for mine, theirs in zip(
        torch.autograd.grad(got, (features, masks), grad),
        torch.autograd.grad(want, (features, masks), grad),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize('kind', ['collect', 'distribute'])
def test_psa_mask_and_its_gradient_equal_the_formula(kind):
    h, w, mask_h, mask_w = 3, 4, 3, 5
    masks = rand(2, mask_h * mask_w, h, w)
    want = torch.zeros(2, h * w, h, w, dtype=masks.dtype)
    for y in range(h):
        for x in range(w):
            for i in range(mask_h):
                for j in range(mask_w):
                    row, column = y + i - mask_h // 2, x + j - mask_w // 2
                    if 0 <= row < h and 0 <= column < w:
                        seen = masks[:, i * mask_w + j, y, x]
                        if kind == 'collect':
                            want[:, row * w + column, y, x] = seen
                        else:
                            want[:, y * w + x, row, column] = seen
    got = mmcv_ops.PSAMask(kind, (mask_h, mask_w))(masks)
    assert torch.equal(got, want)
    grad = torch.randn_like(got)
    mine, theirs = (torch.autograd.grad(out, masks, grad)[0] for out in (got, want))
    assert torch.equal(mine, theirs)


def test_masked_conv_is_a_convolution_where_the_mask_is_set():
    conv = mmcv_ops.MaskedConv2d(3, 5, 3, padding=1).double()
    features = rand(1, 3, 6, 7).detach()
    mask = torch.zeros(1, 6, 7)
    mask[0, [0, 2, 5], [6, 3, 0]] = 1
    with torch.no_grad():
        want = F.conv2d(features, conv.weight, conv.bias, padding=1) * mask[:, None]
        assert torch.allclose(conv(features, mask), want, atol=1e-5)
