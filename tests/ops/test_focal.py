import pytest
import torch
from mmcv import ops as mmcv_ops

# mmdet writes background as the number of classes; -1 is ignored by the softmax form.
TARGET = torch.tensor([0, 2, 4, 3, 1, 4])


def logits(classes=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(6, classes, generator=generator, dtype=dtype) * 3).requires_grad_()


def sigmoid_by_hand(x, target, gamma, alpha, weight):
    rows = []
    for n, t in enumerate(target.tolist()):
        for c in range(x.shape[1]):
            p = 1 / (1 + torch.exp(-x[n, c]))
            right, share = (p, alpha) if c == t else (1 - p, 1 - alpha)
            loss = -share * (1 - right) ** gamma * torch.log(right)
            rows.append(loss * (weight[t] if weight is not None and t < len(weight) else 1))
    return torch.stack(rows).view_as(x)


@pytest.mark.parametrize('gamma', [0.0, 1.0, 2.0])
@pytest.mark.parametrize('weighted', [False, True])
def test_sigmoid_focal_loss_and_its_gradient_equal_the_formula(gamma, weighted):
    x = logits()
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=x.dtype) if weighted else None
    got = mmcv_ops.sigmoid_focal_loss(x, TARGET, gamma, 0.25, weight, 'none')
    want = sigmoid_by_hand(x, TARGET, gamma, 0.25, weight)
    assert torch.allclose(got, want, atol=1e-5)
    mine, theirs = (torch.autograd.grad(out.sum(), x)[0] for out in (got, want))
    assert torch.allclose(mine, theirs, atol=1e-5)


def softmax_by_hand(x, target, gamma, alpha, weight):
    rows = []
    for n, t in enumerate(target.tolist()):
        p = torch.softmax(x[n], 0)[max(t, 0)]
        rows.append(-alpha * (1 - p) ** gamma * torch.log(p) * weight[t] if t >= 0 else 0 * p)
    return torch.stack(rows)


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_softmax_focal_loss_and_its_gradient_equal_the_formula(gamma):
    x, target = logits(5), torch.where(TARGET == 3, -1, TARGET)
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0, 0.1], dtype=x.dtype)
    got = mmcv_ops.softmax_focal_loss(x, target, gamma, 0.25, weight, 'none')
    want = softmax_by_hand(x, target, gamma, 0.25, weight)
    assert torch.allclose(got, want, atol=1e-5)
    mine = torch.autograd.grad(
        mmcv_ops.softmax_focal_loss(x, target, gamma, 0.25, weight, 'sum'), x
    )[0]
    assert torch.allclose(mine, torch.autograd.grad(want.sum(), x)[0], atol=1e-5)


def test_focal_loss_of_extreme_logits_is_finite():
    x = torch.tensor([[200.0, -200.0, 0.0, 90.0]], requires_grad=True)
    loss = mmcv_ops.sigmoid_focal_loss(x, torch.tensor([1]), 2.0, 0.25, None, 'sum')
    assert loss.isfinite()
    assert torch.autograd.grad(loss, x)[0].isfinite().all()
