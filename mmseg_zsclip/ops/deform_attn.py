"""Multi-scale deformable attention (Deformable DETR, Eq. 3) behind mmcv's two entry points.

Triton on a GPU, torch elsewhere. Unlike mmcv's compiled op there is no limit that ties the batch
to `im2col_step`, which is accepted and ignored, and bfloat16 works.
"""

import functools
import logging

import torch
import torch.nn.functional as F

from .recompute import at_least_float32, gradients

logger = logging.getLogger('mmseg_zsclip')


def ms_deform_attn(
    value: torch.Tensor,
    spatial_shapes: list[list[int]],
    level_starts: list[int],
    locations: torch.Tensor,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Weighted sum of bilinear samples, zero outside the map.

    Args:
        value: (B, K, M, D), K = sum of h * w over the levels, M heads.
        spatial_shapes: (h, w) of each of the L levels.
        level_starts: where each level begins in K.
        locations: (B, Q, M, L, P, 2), (x, y) in [0, 1] over each level; outside is allowed.
        weights: (B, Q, M, L, P).

    Returns:
        (B, Q, M * D), in the dtype of `value`; half precision is computed in float32.
    """
    dtype, (batch, _, heads, _) = value.dtype, value.shape
    value, locations, weights = at_least_float32(value, locations, weights)
    value = value.permute(0, 2, 3, 1).flatten(0, 1)
    grid = 2 * locations.transpose(1, 2).flatten(0, 1) - 1
    weights = weights.transpose(1, 2).flatten(0, 1)
    total = 0
    for level, ((h, w), start) in enumerate(zip(spatial_shapes, level_starts, strict=True)):
        level_map = value[..., start : start + h * w].unflatten(-1, (h, w))
        sampled = F.grid_sample(level_map, grid[:, :, level], align_corners=False)
        total = total + (sampled * weights[:, None, :, level]).sum(-1)
    return total.unflatten(0, (batch, heads)).permute(0, 3, 1, 2).flatten(2).to(dtype)


def ms_deform_attn_forward(
    value: torch.Tensor,
    value_spatial_shapes: torch.Tensor,
    value_level_start_index: torch.Tensor,
    sampling_locations: torch.Tensor,
    attention_weights: torch.Tensor,
    im2col_step: int = 64,
) -> torch.Tensor:
    """mmcv's forward entry: as `ms_deform_attn`, shapes (L, 2) and starts (L,) as int tensors."""
    if triton_is_used(value):
        from . import deform_attn_triton

        return deform_attn_triton.forward(
            value,
            value_spatial_shapes,
            value_level_start_index,
            sampling_locations,
            attention_weights,
        )
    return ms_deform_attn(
        value,
        value_spatial_shapes.tolist(),
        value_level_start_index.tolist(),
        sampling_locations,
        attention_weights,
    )


def ms_deform_attn_backward(
    value: torch.Tensor,
    value_spatial_shapes: torch.Tensor,
    value_level_start_index: torch.Tensor,
    sampling_locations: torch.Tensor,
    attention_weights: torch.Tensor,
    grad_output: torch.Tensor,
    grad_value: torch.Tensor,
    grad_sampling_loc: torch.Tensor,
    grad_attn_weight: torch.Tensor,
    im2col_step: int = 64,
) -> None:
    """mmcv's backward entry: writes the three gradients in place."""
    if triton_is_used(value):
        from . import deform_attn_triton

        grads = deform_attn_triton.backward(
            value,
            value_spatial_shapes,
            value_level_start_index,
            sampling_locations,
            attention_weights,
            grad_output,
        )
    else:
        shapes, starts = value_spatial_shapes.tolist(), value_level_start_index.tolist()
        grads = gradients(
            lambda v, loc, w: ms_deform_attn(v, shapes, starts, loc, w),
            (value, sampling_locations, attention_weights),
            grad_output,
        )
    targets = (grad_value, grad_sampling_loc, grad_attn_weight)
    for target, grad in zip(targets, grads, strict=True):
        target.copy_(grad)


def triton_is_used(value: torch.Tensor) -> bool:
    """True for half, bfloat16 and float32 on a GPU where Triton compiles."""
    half_or_single = value.dtype in (torch.float16, torch.bfloat16, torch.float32)
    return value.is_cuda and half_or_single and _triton_works(value.device)


@functools.lru_cache
def _triton_works(device: torch.device) -> bool:
    # Triton builds a launcher at run time and so may fail where it imports: no C compiler, an
    # old driver. Try once on one sample rather than fail in the middle of a training step.
    try:
        from . import deform_attn_triton

        deform_attn_triton.probe(device)
    except Exception as error:  # noqa: BLE001  whatever Triton raises, torch can do it
        logger.warning(
            'ms_deform_attn: Triton does not work on %s, using the slower torch version. '
            'Reason: %s: %s',
            device,
            type(error).__name__,
            error,
        )
        return False
    return True
