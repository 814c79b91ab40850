"""Content-aware upsampling (CARAFE, Wang et al. 2019, Eq. 2) behind mmcv's entry points."""

import torch
import torch.nn.functional as F

from .recompute import gradients


def carafe(
    features: torch.Tensor,
    masks: torch.Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> torch.Tensor:
    """Each output pixel is a weighted sum of the k x k neighbours of its source pixel.

    features (B, C, h, w); masks (B, k * k * groups, h * s, w * s) -> (B, C, h * s, w * s).
    """
    batch, channels, h, w = features.shape
    s, taps = scale_factor, kernel_size**2
    around = F.unfold(features, kernel_size, padding=kernel_size // 2)
    around = around.view(batch, group_size, channels // group_size, taps, h, w)
    masks = masks.view(batch, group_size, taps, h, s, w, s)
    upsampled = torch.einsum('bgcthw,bgthiwj->bgchiwj', around, masks)
    return upsampled.reshape(batch, channels, h * s, w * s)


def carafe_forward(
    features: torch.Tensor,
    masks: torch.Tensor,
    rfeatures: torch.Tensor,
    routput: torch.Tensor,
    rmasks: torch.Tensor,
    output: torch.Tensor,
    **options,
) -> None:
    """Write the result into `output`, and the features where mmcv hands them to the backward."""
    rfeatures.copy_(features)
    output.copy_(carafe(features, masks, **options))


def carafe_backward(
    grad_output: torch.Tensor,
    rfeatures: torch.Tensor,
    masks: torch.Tensor,
    rgrad_output: torch.Tensor,
    rgrad_input_hs: torch.Tensor,
    rgrad_input: torch.Tensor,
    rgrad_masks: torch.Tensor,
    grad_input: torch.Tensor,
    grad_masks: torch.Tensor,
    **options,
) -> None:
    """Write the gradients of features and masks in place."""
    carafe_naive_backward(grad_output, rfeatures, masks, grad_input, grad_masks, **options)


def carafe_naive_forward(
    features: torch.Tensor, masks: torch.Tensor, output: torch.Tensor, **options
) -> None:
    """Write the result into `output`."""
    output.copy_(carafe(features, masks, **options))


def carafe_naive_backward(
    grad_output: torch.Tensor,
    features: torch.Tensor,
    masks: torch.Tensor,
    grad_input: torch.Tensor,
    grad_masks: torch.Tensor,
    **options,
) -> None:
    """Write the gradients of features and masks in place."""
    by_features, by_masks = gradients(
        lambda f, m: carafe(f, m, **options), (features, masks), grad_output
    )
    grad_input.copy_(by_features)
    grad_masks.copy_(by_masks)
