"""Attention of several heads, between the projections that a method has of its own."""

import torch.nn.functional as F
from torch import Tensor


def multi_head_attention(q: Tensor, k: Tensor, v: Tensor, heads: int, dropout: float) -> Tensor:
    """softmax(q k^T / sqrt(D / heads)) v, head by head.

    Args:
        q, k, v: (B, N, D), (B, M, D), (B, M, D).
        dropout: of the weights.

    Returns:
        (B, N, D), not projected.
    """
    q, k, v = (one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    return out.transpose(1, 2).flatten(2)
