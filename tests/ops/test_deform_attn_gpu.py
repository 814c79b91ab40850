import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

from mmseg_zsclip.ops import deform_attn

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='needs a GPU: compares the Triton kernel with torch'
)
CASES = [
    (2, 8, 32, 900, 4, [(64, 64), (32, 32), (16, 16)]),
    (1, 3, 12, 5, 1, [(6, 5)]),
    (3, 2, 64, 70, 2, [(7, 9), (1, 1)]),
]


@pytest.mark.parametrize('case', CASES, ids=str)
@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)], ids=str
)
def test_triton_equals_torch(case, dtype, tolerance):
    batch, heads, channels, queries, points, sizes = case
    generator = torch.Generator('cuda').manual_seed(0)
    shapes = torch.tensor(sizes, device='cuda')
    starts = torch.cat([shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]])

    def rand(*shape):
        return torch.rand(*shape, device='cuda', generator=generator)

    value = (rand(batch, int(shapes.prod(1).sum()), heads, channels) - 0.5).to(dtype)
    places = (rand(batch, queries, heads, len(sizes), points, 2) * 1.4 - 0.2).to(dtype)
    weights = rand(batch, queries, heads, len(sizes), points).to(dtype)
    leaves = [x.requires_grad_() for x in (value, places, weights)]
    assert deform_attn.triton_is_used(value)
    got = MultiScaleDeformableAttnFunction.apply(value, shapes, starts, places, weights, 64)
    want = deform_attn.ms_deform_attn(value, sizes, starts.tolist(), places, weights)
    grad = rand(*got.shape).to(dtype) - 0.5
    pairs = [(got, want)]
    pairs += zip(
        torch.autograd.grad(got, leaves, grad), torch.autograd.grad(want, leaves, grad), strict=True
    )
    for mine, theirs in pairs:
        assert mine.dtype == dtype
        worst = (mine - theirs).float().abs().max() / theirs.float().abs().max()
        assert worst < tolerance
