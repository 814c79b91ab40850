"""Muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon) for torch before 2.9."""

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


def orthogonal(update: Tensor) -> Tensor:
    """(n, m) -> (n, m), bfloat16: U V^T of its singular value decomposition, roughly.

    Newton and Schulz's iteration with the author's coefficients: singular values come near 1,
    between about 0.5 and 1.5.
    """
    a, b, c = COEFFICIENTS
    tall = update.shape[0] > update.shape[1]
    x = update.bfloat16()
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Steps of `torch.optim.Muon` with its defaults: Nesterov's momentum, made orthogonal.

    Raises:
        ValueError: a parameter that is no matrix.
    """

    def __init__(
        self, params, lr: float = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95
    ) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum))
        for parameter in (p for group in self.param_groups for p in group['params']):
            if parameter.ndim != 2:
                raise ValueError(
                    f'Muon steps matrices alone, got a parameter of shape {tuple(parameter.shape)};'
                    ' give it to AdamW.'
                )

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            momentum = group['momentum']
            for parameter in group['params']:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state['momentum_buffer'] = torch.zeros_like(parameter.grad)
                mean = state['momentum_buffer'].lerp_(parameter.grad, 1 - momentum)
                update = orthogonal(parameter.grad.lerp(mean, momentum))
                rows, columns = parameter.shape
                parameter.mul_(1 - group['lr'] * group['weight_decay'])
                parameter.add_(update, alpha=-group['lr'] * max(1, rows / columns) ** 0.5)
