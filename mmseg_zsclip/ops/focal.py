"""Focal losses (Lin et al. 2017, Eq. 5) behind mmcv's entry points."""

import torch
import torch.nn.functional as F

from .recompute import at_least_float32


def sigmoid_focal_loss_forward(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    output: torch.Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the loss of each logit into `output`.

    input (N, C) logits; target (N,) class indices, any other value (mmdet's background C) is
    negative for all classes; weight (C,) per target class, or empty.
    """
    (x,), positive = at_least_float32(input), _positives(input, target)
    p, log_p, log_n = x.sigmoid(), F.logsigmoid(x), F.logsigmoid(-x)
    loss_p = -alpha * (1 - p) ** gamma * log_p
    loss_n = -(1 - alpha) * p**gamma * log_n
    output.copy_(torch.where(positive, loss_p, loss_n) * _per_row(weight, target))


def sigmoid_focal_loss_backward(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    grad_input: torch.Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write d loss / d logit into `grad_input` (N, C)."""
    (x,), positive = at_least_float32(input), _positives(input, target)
    p, log_p, log_n = x.sigmoid(), F.logsigmoid(x), F.logsigmoid(-x)
    grad_p = -alpha * (1 - p) ** gamma * (1 - p - gamma * p * log_p)
    grad_n = -(1 - alpha) * p**gamma * (gamma * (1 - p) * log_n - p)
    grad_input.copy_(torch.where(positive, grad_p, grad_n) * _per_row(weight, target))


def softmax_focal_loss_forward(
    softmax: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    output: torch.Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the loss of each row into `output` (N,); a negative target costs nothing.

    softmax (N, C) probabilities, target (N,), weight (C,) or empty.
    """
    p, kept = _target_probability(softmax, target)
    loss = -alpha * (1 - p) ** gamma * p.clamp(min=torch.finfo(torch.float32).tiny).log()
    output.copy_(loss * kept * _per_row(weight, target)[:, 0])


def softmax_focal_loss_backward(
    softmax: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    buff: torch.Tensor,
    grad_input: torch.Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write d loss / d logit into `grad_input` (N, C) and its factor per row into `buff` (N,)."""
    p, kept = _target_probability(softmax, target)
    slope = -((1 - p) ** gamma)
    if gamma:
        log_p = p.clamp(min=torch.finfo(torch.float32).tiny).log()
        slope = slope + gamma * (1 - p) ** (gamma - 1) * p * log_p
    buff.copy_(alpha * slope * kept * _per_row(weight, target)[:, 0])
    grad_input.copy_(buff[:, None] * (_positives(softmax, target).to(softmax) - softmax))


def _positives(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return target[:, None] == torch.arange(scores.shape[1], device=scores.device)


def _per_row(weight: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    if weight.numel() == 0:
        return torch.ones((), device=weight.device).expand(len(target), 1)
    named = (target >= 0) & (target < len(weight))
    rows = weight[target.clamp(0, len(weight) - 1)]
    return torch.where(named, rows, torch.ones_like(rows))[:, None]


def _target_probability(
    softmax: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    (softmax,) = at_least_float32(softmax)
    return softmax.gather(1, target.clamp(min=0)[:, None])[:, 0], target >= 0
