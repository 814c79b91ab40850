import pytest
import torch
import torch.nn.functional as F
from mmcv import ops as mmcv_ops


def make(groups=1, deform_groups=1, stride=1):
    generator = torch.Generator().manual_seed(0)

    def rand(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    out = (5 + 2 - 3) // stride + 1
    return (
        rand(2, 4, 5, 5),
        rand(2, deform_groups * 18, out, out),
        rand(6, 4 // groups, 3, 3),
        rand(2, deform_groups * 9, out, out),
        rand(6),
    )


def by_hand(x, offset, weight, mask, bias, groups, deform_groups, stride):
    """A plain convolution of samples gathered with tent weights, tap by tap; padding 1."""
    batch, channels, h, w = x.shape
    out_h, out_w = offset.shape[-2:]
    rows = torch.arange(h, dtype=x.dtype)
    columns = torch.arange(w, dtype=x.dtype)
    taps = []
    for tap in range(9):
        parts = []
        for g in range(deform_groups):
            dy, dx = offset[:, (g * 9 + tap) * 2], offset[:, (g * 9 + tap) * 2 + 1]
            y = dy + torch.arange(out_h)[:, None] * stride - 1 + tap // 3
            x_place = dx + torch.arange(out_w)[None] * stride - 1 + tap % 3
            near_y = (1 - (y[..., None] - rows).abs()).clamp(min=0)
            near_x = (1 - (x_place[..., None] - columns).abs()).clamp(min=0)
            share = channels // deform_groups
            part = torch.einsum(
                'bchw,bijh,bijw->bcij', x[:, g * share : (g + 1) * share], near_y, near_x
            )
            parts.append(part * mask[:, g * 9 + tap, None])
        taps.append(torch.cat(parts, 1))
    gathered = torch.stack(taps, 2).view(batch, groups, channels // groups, 9, out_h, out_w)
    kernel = weight.flatten(2).view(groups, -1, *weight.flatten(2).shape[1:])
    out = torch.einsum('bgckij,gock->bgoij', gathered, kernel)
    return out.reshape(batch, -1, out_h, out_w) + bias[:, None, None]


CASES = [(1, 1, 1), (2, 1, 2), (1, 2, 1), (2, 2, 2)]


@pytest.mark.parametrize(('groups', 'deform_groups', 'stride'), CASES)
def test_modulated_deform_conv_and_its_gradients_equal_the_formula(groups, deform_groups, stride):
    tensors = x, offset, weight, mask, bias = make(groups, deform_groups, stride)
    got = mmcv_ops.modulated_deform_conv2d(
        x, offset, mask, weight, bias, stride, 1, 1, groups, deform_groups
    )
    want = by_hand(*tensors, groups, deform_groups, stride)
    assert torch.allclose(got, want, atol=1e-5)
    grad = torch.randn_like(got)
    for mine, theirs in zip(
        torch.autograd.grad(got, tensors, grad),
        torch.autograd.grad(want, tensors, grad),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize(('groups', 'deform_groups', 'stride'), CASES)
def test_deform_conv_and_its_gradients_equal_the_formula(groups, deform_groups, stride):
    x, offset, weight, mask, bias = make(groups, deform_groups, stride)
    got = mmcv_ops.deform_conv2d(x, offset, weight, stride, 1, 1, groups, deform_groups)
    want = by_hand(
        x,
        offset,
        weight,
        torch.ones_like(mask),
        torch.zeros_like(bias),
        groups,
        deform_groups,
        stride,
    )
    assert torch.allclose(got, want, atol=1e-5)
    grad = torch.randn_like(got)
    for mine, theirs in zip(
        torch.autograd.grad(got, (x, offset, weight), grad),
        torch.autograd.grad(want, (x, offset, weight), grad),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_without_bias_and_offset_it_is_a_convolution():
    x, offset, weight, mask, _ = make()
    out = mmcv_ops.modulated_deform_conv2d(
        x, torch.zeros_like(offset), torch.ones_like(mask), weight, None, 1, 1
    )
    assert torch.allclose(out, F.conv2d(x, weight, padding=1))
    out.sum().backward()
    assert weight.grad.abs().sum() > 0
