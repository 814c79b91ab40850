"""Triton kernels of multi-scale deformable attention, forward and backward.

One program takes a block of queries of one head of one image and walks levels, points and the
four corners of each sample; channels lie along the fast axis, so a corner is one contiguous
read. Sums are in float32 whatever the dtype. The gradient of `value` is scattered with atomics:
its last bits may differ from run to run, as in mmcv's compiled op.
"""

import torch
import triton
import triton.language as tl

FORWARD_TILE = 1024
BACKWARD_TILE = 512


@triton.jit
def _place(locations, sample, row_mask, h, w):
    """Top-left pixel of each sample and the fractions beyond it (align_corners=False)."""
    x = tl.load(locations + 2 * sample, mask=row_mask, other=0.0).to(tl.float32) * w - 0.5
    y = tl.load(locations + 2 * sample + 1, mask=row_mask, other=0.0).to(tl.float32) * h - 0.5
    # A far location must stay outside the map when it becomes an integer.
    x = tl.minimum(tl.maximum(x, -2.0), w + 1.0)
    y = tl.minimum(tl.maximum(y, -2.0), h + 1.0)
    left = tl.floor(x)
    top = tl.floor(y)
    return left.to(tl.int32), top.to(tl.int32), x - left, y - top


@triton.jit
def _corner(left, top, fx, fy, h, w, start, row_mask, CORNER: tl.constexpr):
    """Row of `value` of one corner, whether it is inside, and its factors along x and y."""
    x = left + CORNER % 2
    y = top + CORNER // 2
    along_x = fx if CORNER % 2 == 1 else 1 - fx
    along_y = fy if CORNER // 2 == 1 else 1 - fy
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h) & row_mask
    return start + y * w + x, inside, along_x, along_y


@triton.jit
def _forward_kernel(
    value,
    shapes,
    starts,
    locations,
    weights,
    output,
    keys,
    queries,
    HEADS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    batch = (tl.program_id(1) // HEADS).to(tl.int64)
    head = tl.program_id(1) % HEADS
    query = tl.program_id(0) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    channel = tl.arange(0, BLOCK_D)
    row_mask = query < queries
    channel_mask = channel < CHANNELS
    row = (batch * queries + query) * HEADS + head
    base = (batch * keys * HEADS + head) * CHANNELS
    total = tl.zeros((BLOCK_Q, BLOCK_D), tl.float32)
    for level in range(LEVELS):
        h = tl.load(shapes + 2 * level).to(tl.int32)
        w = tl.load(shapes + 2 * level + 1).to(tl.int32)
        start = tl.load(starts + level).to(tl.int64)
        for point in range(POINTS):
            sample = (row * LEVELS + level) * POINTS + point
            weight = tl.load(weights + sample, mask=row_mask, other=0.0).to(tl.float32)
            left, top, fx, fy = _place(locations, sample, row_mask, h, w)
            for corner in tl.static_range(4):
                key, inside, ux, uy = _corner(left, top, fx, fy, h, w, start, row_mask, corner)
                offset = base + key[:, None] * (HEADS * CHANNELS) + channel[None, :]
                mask = inside[:, None] & channel_mask[None, :]
                seen = tl.load(value + offset, mask=mask, other=0.0).to(tl.float32)
                total += (weight * ux * uy)[:, None] * seen
    tl.store(
        output + row[:, None] * CHANNELS + channel[None, :],
        total.to(output.dtype.element_ty),
        mask=row_mask[:, None] & channel_mask[None, :],
    )


@triton.jit
def _backward_kernel(
    value,
    shapes,
    starts,
    locations,
    weights,
    grad_output,
    grad_value,
    grad_locations,
    grad_weights,
    keys,
    queries,
    HEADS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    batch = (tl.program_id(1) // HEADS).to(tl.int64)
    head = tl.program_id(1) % HEADS
    query = tl.program_id(0) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    channel = tl.arange(0, BLOCK_D)
    row_mask = query < queries
    channel_mask = channel < CHANNELS
    row = (batch * queries + query) * HEADS + head
    base = (batch * keys * HEADS + head) * CHANNELS
    grad = tl.load(
        grad_output + row[:, None] * CHANNELS + channel[None, :],
        mask=row_mask[:, None] & channel_mask[None, :],
        other=0.0,
    ).to(tl.float32)
    for level in range(LEVELS):
        h = tl.load(shapes + 2 * level).to(tl.int32)
        w = tl.load(shapes + 2 * level + 1).to(tl.int32)
        start = tl.load(starts + level).to(tl.int64)
        for point in range(POINTS):
            sample = (row * LEVELS + level) * POINTS + point
            weight = tl.load(weights + sample, mask=row_mask, other=0.0).to(tl.float32)
            left, top, fx, fy = _place(locations, sample, row_mask, h, w)
            by_weight = tl.zeros((BLOCK_Q,), tl.float32)
            by_x = tl.zeros((BLOCK_Q,), tl.float32)
            by_y = tl.zeros((BLOCK_Q,), tl.float32)
            for corner in tl.static_range(4):
                key, inside, ux, uy = _corner(left, top, fx, fy, h, w, start, row_mask, corner)
                offset = base + key[:, None] * (HEADS * CHANNELS) + channel[None, :]
                mask = inside[:, None] & channel_mask[None, :]
                seen = tl.load(value + offset, mask=mask, other=0.0).to(tl.float32)
                agreement = tl.sum(grad * seen, 1)
                by_weight += ux * uy * agreement
                by_x += (2 * (corner % 2) - 1) * uy * agreement
                by_y += (2 * (corner // 2) - 1) * ux * agreement
                share = (weight * ux * uy)[:, None] * grad
                tl.atomic_add(grad_value + offset, share, mask=mask)
            tl.store(grad_weights + sample, by_weight, mask=row_mask)
            tl.store(grad_locations + 2 * sample, w * weight * by_x, mask=row_mask)
            tl.store(grad_locations + 2 * sample + 1, h * weight * by_y, mask=row_mask)


def forward(
    value: torch.Tensor,
    spatial_shapes: torch.Tensor,
    level_starts: torch.Tensor,
    locations: torch.Tensor,
    weights: torch.Tensor,
) -> torch.Tensor:
    """As `deform_attn.ms_deform_attn`, with integer tensors (L, 2) and (L,) on the same device."""
    inputs = [x.contiguous() for x in (value, spatial_shapes, level_starts, locations, weights)]
    batch, keys, heads, channels = value.shape
    queries = locations.shape[1]
    output = value.new_empty(batch, queries, heads * channels)
    if output.numel():
        grid, sizes = _launch(value, locations, FORWARD_TILE)
        with _on(value.device):
            _forward_kernel[grid](*inputs, output, keys, queries, **sizes)
    return output


def backward(
    value: torch.Tensor,
    spatial_shapes: torch.Tensor,
    level_starts: torch.Tensor,
    locations: torch.Tensor,
    weights: torch.Tensor,
    grad_output: torch.Tensor,
) -> list[torch.Tensor]:
    """Return float32 gradients of value, locations and weights, of their shapes."""
    saved = (value, spatial_shapes, level_starts, locations, weights, grad_output)
    inputs = [x.contiguous() for x in saved]
    grads = [
        torch.zeros(x.shape, dtype=torch.float32, device=x.device)
        for x in (value, locations, weights)
    ]
    if grad_output.numel():
        grid, sizes = _launch(value, locations, BACKWARD_TILE)
        with _on(value.device):
            _backward_kernel[grid](*inputs, *grads, value.shape[1], locations.shape[1], **sizes)
    return grads


def probe(device: torch.device) -> None:
    """Run both kernels on one sample; raises whatever Triton raises when it cannot compile."""
    value = torch.ones(1, 1, 1, 16, device=device)
    shapes = torch.ones(1, 2, dtype=torch.long, device=device)
    starts = torch.zeros(1, dtype=torch.long, device=device)
    locations = torch.full((1, 1, 1, 1, 1, 2), 0.5, device=device)
    weights = torch.ones(1, 1, 1, 1, 1, device=device)
    output = forward(value, shapes, starts, locations, weights)
    backward(value, shapes, starts, locations, weights, output)


def _launch(value: torch.Tensor, locations: torch.Tensor, tile: int) -> tuple:
    batch, _, heads, channels = value.shape
    queries, levels, points = locations.shape[1], locations.shape[3], locations.shape[4]
    block_d = triton.next_power_of_2(channels)
    block_q = max(1, tile // block_d)
    sizes = {
        'HEADS': heads,
        'CHANNELS': channels,
        'LEVELS': levels,
        'POINTS': points,
        'BLOCK_Q': block_q,
        'BLOCK_D': block_d,
    }
    return (triton.cdiv(queries, block_q), batch * heads), sizes


def _on(device: torch.device):
    # Triton launches on the current device, which need not be the tensors'.
    return torch.cuda.device(device if device.type == 'cuda' else -1)
