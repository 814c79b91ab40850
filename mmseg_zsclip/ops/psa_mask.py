"""Point-wise spatial attention masks (PSANet, Zhao et al. 2018) behind mmcv's entry points."""

import torch

from .recompute import gradients

COLLECT = 0


def psa_mask(masks: torch.Tensor, psa_type: int, h_mask: int, w_mask: int) -> torch.Tensor:
    """Unroll a window of weights around each pixel into weights over the whole map.

    masks (B, h_mask * w_mask, H, W) -> (B, H * W, H, W): distribute (1) has the source pixel
    first, collect (0) has it last; zero outside the window.
    """
    batch, _, h, w = masks.shape
    device = masks.device
    rows = torch.arange(h, device=device).repeat_interleave(w)
    columns = torch.arange(w, device=device).repeat(h)
    down = rows[None] - rows[:, None] + (h_mask - 1) // 2
    right = columns[None] - columns[:, None] + (w_mask - 1) // 2
    inside = (down >= 0) & (down < h_mask) & (right >= 0) & (right < w_mask)
    tap = torch.where(inside, down * w_mask + right, torch.zeros_like(down))
    by_source = masks.flatten(2).transpose(1, 2)
    spread = by_source.gather(2, tap[None].expand(batch, -1, -1)) * inside
    if psa_type == COLLECT:
        spread = spread.transpose(1, 2)
    return spread.reshape(batch, h * w, h, w)


def psamask_forward(
    input: torch.Tensor, output: torch.Tensor, psa_type: int, h_mask: int, w_mask: int, **sizes
) -> None:
    """Write the unrolled masks into `output`."""
    output.copy_(psa_mask(input, psa_type, h_mask, w_mask))


def psamask_backward(
    grad_output: torch.Tensor,
    grad_input: torch.Tensor,
    psa_type: int,
    h_mask: int,
    w_mask: int,
    **sizes,
) -> None:
    """Write the gradient of the window weights into `grad_input`."""
    # Unrolling is linear, so the values at which the gradient is taken do not matter.
    grad_input.copy_(
        gradients(
            lambda m: psa_mask(m, psa_type, h_mask, w_mask),
            [torch.zeros_like(grad_input)],
            grad_output,
        )[0]
    )
