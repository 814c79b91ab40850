import math

import pytest
import torch
from mmcv.ops import multi_scale_deform_attn as mmcv_attn

from mmseg_zsclip.ops import deform_attn

SHAPES = [(4, 5), (2, 3), (1, 1)]
attend = mmcv_attn.MultiScaleDeformableAttnFunction.apply


def make(dtype=torch.float64, batch=2, queries=3, heads=2, channels=3, points=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    keys, levels = sum(h * w for h, w in SHAPES), len(SHAPES)
    value = torch.randn(batch, keys, heads, channels, generator=generator)
    # Beyond [0, 1]: samples on the border and outside are where implementations differ.
    places = torch.rand(batch, queries, heads, levels, points, 2, generator=generator) * 1.6 - 0.3
    weights = torch.rand(batch, queries, heads, levels, points, generator=generator)
    leaves = [x.to(dtype).requires_grad_() for x in (value, places, weights)]
    shapes = torch.tensor(SHAPES)
    starts = torch.cat([shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]])
    return leaves, shapes, starts


def by_hand(value, places, weights):
    """Deformable DETR's Eq. 3 pixel by pixel: sum of weight times the tent-weighted pixels."""
    batch, queries, heads, _, points, _ = places.shape
    rows = []
    for b in range(batch):
        for q in range(queries):
            for m in range(heads):
                total, start = 0, 0
                for level, (h, w) in enumerate(SHAPES):
                    for p in range(points):
                        x = places[b, q, m, level, p, 0] * w - 0.5
                        y = places[b, q, m, level, p, 1] * h - 0.5
                        for i in range(h):
                            for j in range(w):
                                near = (1 - (x - j).abs()).clamp(min=0)
                                near = near * (1 - (y - i).abs()).clamp(min=0)
                                pixel = value[b, start + i * w + j, m]
                                total = total + weights[b, q, m, level, p] * near * pixel
                    start += h * w
                rows.append(total)
    return torch.stack(rows).view(batch, queries, -1)


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_forward_and_gradients_equal_the_formula(dtype, tolerance):
    leaves, shapes, starts = make(dtype)
    value, places, weights = leaves
    ours = attend(value, shapes, starts, places, weights, 64)
    formula = by_hand(value, places, weights)
    assert torch.allclose(ours, formula, atol=tolerance)
    grad = torch.randn(ours.shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    for mine, theirs in zip(
        torch.autograd.grad(ours, leaves, grad),
        torch.autograd.grad(formula, leaves, grad),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, atol=tolerance * 10)


def test_gradcheck_in_float64():
    (value, places, weights), shapes, starts = make(batch=1, queries=2)
    assert torch.autograd.gradcheck(
        lambda v, p, w: attend(v, shapes, starts, p, w, 64), (value, places, weights)
    )


def test_equals_mmcvs_own_cpu_version():
    (value, places, weights), shapes, starts = make()
    theirs = mmcv_attn.multi_scale_deformable_attn_pytorch(value, shapes, places, weights)
    assert torch.allclose(attend(value, shapes, starts, places, weights, 64), theirs)


def test_a_batch_need_not_divide_by_im2col_step():
    (value, places, weights), shapes, starts = make(batch=3)
    assert attend(value, shapes, starts, places, weights, 2).shape == (3, 3, 6)


def test_bfloat16_is_computed_in_float32():
    (value, places, weights), shapes, starts = make(torch.bfloat16)
    exact = by_hand(value.double(), places.double(), weights.double())
    got = attend(value, shapes, starts, places, weights, 64)
    assert got.dtype == torch.bfloat16
    # One rounding at the end: half a unit in the last of bfloat16's 8 bits.
    assert ((got - exact).abs() <= exact.abs() * 2**-8 + 1e-5).all()


def test_equal_weights_on_a_constant_map_return_the_constant():
    shapes, starts = torch.tensor([[4, 4]]), torch.tensor([0])
    value = torch.full((1, 16, 1, 2), math.pi)
    places = torch.full((1, 1, 1, 1, 4, 2), 0.5)
    weights = torch.full((1, 1, 1, 1, 4), 0.25)
    out = deform_attn.ms_deform_attn_forward(value, shapes, starts, places, weights)
    assert torch.allclose(out, torch.full((1, 1, 2), math.pi))


def test_triton_is_not_used_on_the_cpu():
    assert not deform_attn.triton_is_used(torch.zeros(1))


def test_where_triton_fails_torch_takes_over_with_one_warning(monkeypatch, caplog):
    def broken(device):
        raise RuntimeError('no C compiler')

    triton_file = pytest.importorskip('mmseg_zsclip.ops.deform_attn_triton')
    monkeypatch.setattr(triton_file, 'probe', broken)
    deform_attn._triton_works.cache_clear()
    device = torch.device('cuda:0')
    assert not deform_attn._triton_works(device)
    assert not deform_attn._triton_works(device)
    deform_attn._triton_works.cache_clear()
    assert len(caplog.records) == 1
    assert 'no C compiler' in caplog.text
