"""Pooling of boxes out of feature maps. Boxes are (R, 5): image index, x1, y1, x2, y2."""

import torch
from torchvision.ops import roi_align

from .missing import FULL_MMCV, MissingOpError
from .recompute import at_least_float32, gradients


def roi_align_forward(
    input: torch.Tensor,
    rois: torch.Tensor,
    output: torch.Tensor,
    argmax_y: torch.Tensor,
    argmax_x: torch.Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write average-pooled boxes (R, C, aligned_height, aligned_width) into `output`."""
    if pool_mode == 0:
        raise MissingOpError(
            "roi_align with pool_mode='max' is not in mmseg_zsclip.ops, which has 'avg'. "
            f"Use pool_mode='avg' or install the full mmcv: {FULL_MMCV}"
        )
    size = (aligned_height, aligned_width)
    data, boxes = at_least_float32(input, rois)
    output.copy_(roi_align(data, boxes.to(data), size, spatial_scale, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: torch.Tensor,
    rois: torch.Tensor,
    argmax_y: torch.Tensor,
    argmax_x: torch.Tensor,
    grad_input: torch.Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient of the feature map (B, C, H, W) into `grad_input`."""
    size = (aligned_height, aligned_width)
    grad, zeros, boxes = at_least_float32(grad_output, torch.zeros_like(grad_input), rois)

    # Pooling is linear in the map, so its gradient does not depend on the map's values.
    def pool(data: torch.Tensor) -> torch.Tensor:
        return roi_align(data, boxes.to(data), size, spatial_scale, sampling_ratio, aligned)

    grad_input.copy_(gradients(pool, [zeros], grad)[0])


def roi_pool_forward(
    input: torch.Tensor,
    rois: torch.Tensor,
    output: torch.Tensor,
    argmax: torch.Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Write max-pooled boxes into `output` and flat H * W indices into `argmax` (-1: empty bin).

    mmcv's bins (floor and ceil of (x2 + 1) * scale) differ from torchvision's (rounded ends), so
    this is a loop over the bins: exact, and slow for many boxes.
    """
    height, width = input.shape[-2:]
    output.zero_()
    argmax.fill_(-1)
    # In float32, as mmcv computes them: in float64 a ceil can land on another pixel.
    boxes = (rois[:, 1:].float() + rois.new_tensor([0, 0, 1, 1]).float()) * spatial_scale
    images = rois[:, 0].long().tolist()
    for index, (image, (x1, y1, x2, y2)) in enumerate(zip(images, boxes.tolist(), strict=True)):
        if x2 <= x1 or y2 <= y1:
            continue
        rows = _bins(y1, y2, pooled_height, height)
        columns = _bins(x1, x2, pooled_width, width)
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                if bottom <= top or right <= left:
                    continue
                window = input[image, :, top:bottom, left:right].flatten(1)
                best, place = window.max(1)
                output[index, :, i, j] = best
                row, column = place // (right - left), place % (right - left)
                argmax[index, :, i, j] = ((row + top) * width + column + left).to(argmax.dtype)


def roi_pool_backward(
    grad_output: torch.Tensor,
    rois: torch.Tensor,
    argmax: torch.Tensor,
    grad_input: torch.Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add each bin's gradient to the pixel that was its maximum."""
    places = argmax.flatten(2).long()
    shares = grad_output.flatten(2) * (places >= 0)
    flat = torch.zeros_like(grad_input).flatten(2)
    image, channel = rois[:, 0].long(), torch.arange(flat.shape[1], device=flat.device)
    flat.index_put_(
        (image[:, None, None], channel[None, :, None], places.clamp(min=0)), shares, accumulate=True
    )
    grad_input.copy_(flat.view_as(grad_input))


def _bins(start: float, end: float, count: int, limit: int) -> list[tuple[int, int]]:
    edges = torch.arange(count + 1, dtype=torch.float32)
    first = torch.tensor(start, dtype=torch.float32)
    size = (torch.tensor(end, dtype=torch.float32) - first) / count
    low = (edges[:-1] * size + first).floor().clamp(0, limit).int().tolist()
    high = (edges[1:] * size + first).ceil().clamp(0, limit).int().tolist()
    return list(zip(low, high, strict=True))
