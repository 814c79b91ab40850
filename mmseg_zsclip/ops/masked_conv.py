"""The two halves of a convolution at chosen pixels only (guided anchoring); inference only."""

import torch
import torch.nn.functional as F


def masked_im2col_forward(
    features: torch.Tensor,
    mask_h_idx: torch.Tensor,
    mask_w_idx: torch.Tensor,
    data_col: torch.Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Write the windows of features (1, C, H, W) at M output pixels into data_col (C*k*k, M)."""
    windows = F.unfold(features, (kernel_h, kernel_w), padding=(pad_h, pad_w))[0]
    out_w = features.shape[-1] + 2 * pad_w - kernel_w + 1
    data_col.copy_(windows[:, mask_h_idx * out_w + mask_w_idx])


def masked_col2im_forward(
    data_col: torch.Tensor,
    mask_h_idx: torch.Tensor,
    mask_w_idx: torch.Tensor,
    output: torch.Tensor,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Scatter columns (C, M) to their pixels of output (1, C, height, width)."""
    output[0, :, mask_h_idx, mask_w_idx] = data_col
