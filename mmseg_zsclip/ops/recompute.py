"""Gradients of an op from its forward formula, for ops whose backward is called by hand."""

from collections.abc import Callable, Sequence

import torch


def gradients(
    formula: Callable[..., torch.Tensor], inputs: Sequence[torch.Tensor], grad_output: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Run `formula(*inputs)` again under autograd and return d(output . grad_output)/d(inputs)."""
    with torch.enable_grad():
        leaves = [x.detach().requires_grad_() for x in inputs]
        output = formula(*leaves)
        return torch.autograd.grad(output, leaves, grad_output)


def at_least_float32(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """Half precision becomes float32, the precision in which the ops here compute."""
    return [x.float() if x.dtype in (torch.float16, torch.bfloat16) else x for x in tensors]
