"""Deformable convolution v1 and v2 (Dai et al. 2017, Zhu et al. 2019) through torchvision."""

import torch
from torchvision.ops import deform_conv2d

from .recompute import at_least_float32, gradients


def deform_conv_forward(
    input: torch.Tensor,
    weight: torch.Tensor,
    offset: torch.Tensor,
    output: torch.Tensor,
    columns: torch.Tensor,
    ones: torch.Tensor,
    **geometry,
) -> None:
    """Write the (B, C_out, H, W) convolution into `output`; mmcv's buffers are not needed."""
    output.copy_(_convolve(*at_least_float32(input, offset, weight), **_v1(geometry)))


def deform_conv_backward_input(
    input: torch.Tensor,
    offset: torch.Tensor,
    grad_output: torch.Tensor,
    grad_input: torch.Tensor,
    grad_offset: torch.Tensor,
    weight: torch.Tensor,
    columns: torch.Tensor,
    **geometry,
) -> None:
    """Write the gradients of input and offset in place."""
    input, offset, weight, grad = at_least_float32(input, offset, weight, grad_output)
    options = _v1(geometry)
    by_input, by_offset = gradients(
        lambda x, o: _convolve(x, o, weight, **options), (input, offset), grad
    )
    grad_input.copy_(by_input)
    grad_offset.copy_(by_offset)


def deform_conv_backward_parameters(
    input: torch.Tensor,
    offset: torch.Tensor,
    grad_output: torch.Tensor,
    grad_weight: torch.Tensor,
    columns: torch.Tensor,
    ones: torch.Tensor,
    scale: float = 1,
    **geometry,
) -> None:
    """Write the gradient of the weight, times `scale`, in place."""
    input, offset, weight, grad = at_least_float32(
        input, offset, torch.zeros_like(grad_weight), grad_output
    )
    options = _v1(geometry)
    (by_weight,) = gradients(lambda w: _convolve(input, offset, w, **options), [weight], grad)
    grad_weight.copy_(by_weight * scale)


def modulated_deform_conv_forward(
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    ones: torch.Tensor,
    offset: torch.Tensor,
    mask: torch.Tensor,
    output: torch.Tensor,
    columns: torch.Tensor,
    with_bias: bool = False,
    **geometry,
) -> None:
    """Write the modulated (v2) convolution into `output`."""
    tensors = at_least_float32(input, offset, weight, mask, *([bias] if with_bias else []))
    output.copy_(_convolve(*tensors, **_v2(geometry)))


def modulated_deform_conv_backward(
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    ones: torch.Tensor,
    offset: torch.Tensor,
    mask: torch.Tensor,
    columns: torch.Tensor,
    grad_input: torch.Tensor,
    grad_weight: torch.Tensor,
    grad_bias: torch.Tensor,
    grad_offset: torch.Tensor,
    grad_mask: torch.Tensor,
    grad_output: torch.Tensor,
    with_bias: bool = False,
    **geometry,
) -> None:
    """Write the gradients of input, weight, bias, offset and mask in place."""
    inputs = [input, offset, weight, mask, *([bias] if with_bias else [])]
    targets = [grad_input, grad_offset, grad_weight, grad_mask, grad_bias]
    options = _v2(geometry)
    *inputs, grad = at_least_float32(*inputs, grad_output)
    results = gradients(lambda *x: _convolve(*x, **options), inputs, grad)
    for target, result in zip(targets, results, strict=False):
        target.copy_(result)


def _convolve(
    input: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    mask: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    **options,
) -> torch.Tensor:
    return deform_conv2d(input, offset, weight, bias, mask=mask, **options)


def _v1(geometry: dict) -> dict:
    return {
        'stride': (geometry['dH'], geometry['dW']),
        'padding': (geometry['padH'], geometry['padW']),
        'dilation': (geometry['dilationH'], geometry['dilationW']),
    }


def _v2(geometry: dict) -> dict:
    return {
        'stride': (geometry['stride_h'], geometry['stride_w']),
        'padding': (geometry['pad_h'], geometry['pad_w']),
        'dilation': (geometry['dilation_h'], geometry['dilation_w']),
    }
