"""Patches unlike their neighbours, found and repaired as SC-CLIP does, on plain tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cosines(x: Tensor) -> Tensor:
    """Of every pair of tokens: (B, N, D) -> (B, N, N)."""
    x = F.normalize(x, dim=-1)
    return x @ x.transpose(1, 2)


def local_outliers(x: Tensor, neighbours: int, share: float) -> Tensor:
    """The `share` of each image's tokens whose local outlier factor is highest.

    Local outlier factor (Breunig et al., SIGMOD 2000): with d_k(o) the distance of o from its k-th
    neighbour and reach(p, o) = max(d_k(o), |p - o|), the density of p is 1 / mean_o reach(p, o)
    over its k neighbours, and its factor their mean density by its own.

    Args:
        x: (B, N, D) float32. neighbours: k; all others where there are fewer.

    Returns:
        (B, N) boolean.
    """
    count = min(neighbours, x.shape[1] - 1)
    if not count:
        return torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
    distance = torch.cdist(x, x)
    distance.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    near, index = distance.topk(count, largest=False)

    def of_neighbours(value: Tensor) -> Tensor:
        return value.gather(1, index.flatten(1)).view_as(near)

    reach = torch.maximum(of_neighbours(near[..., -1]), near)
    density = 1 / reach.mean(dim=-1).clamp(min=1e-12)
    factor = of_neighbours(density).mean(dim=-1) / density
    return factor > factor.quantile(1 - share, dim=1, keepdim=True)


def repair(x: Tensor, strange: Tensor, grid: tuple[int, int]) -> Tensor:
    """Strange tokens become the mean of the sound ones among the 8 around them, if there are any.

    Args:
        x: (B, N, D). strange: (B, N) boolean. grid: (h, w).
    """
    board = x.transpose(1, 2).unflatten(2, grid)
    sound = (~strange).to(x.dtype)[:, None].unflatten(2, grid)
    total, count = (
        F.avg_pool2d(part, 3, stride=1, padding=1, divisor_override=1)
        for part in (board * sound, sound)
    )
    board = torch.where((sound == 0) & (count > 0), total / count.clamp(min=1), board)
    return board.flatten(2).transpose(1, 2)
