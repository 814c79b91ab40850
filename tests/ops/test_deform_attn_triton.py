"""The Triton kernels without a GPU: run by Triton's interpreter, and compiled for real targets."""

import inspect
import os
import subprocess
import sys

import pytest

triton = pytest.importorskip('triton')
pytestmark = pytest.mark.skipif(
    int(triton.__version__.split('.')[0]) < 3,
    reason=f'needs triton 3, which came with torch 2.4; this is {triton.__version__}',
)

INTERPRETED = """
import torch
from mmseg_zsclip.ops import deform_attn, deform_attn_triton

torch.manual_seed(0)
cases = [
    (2, 2, 8, 37, 2, [(5, 7), (3, 4), (1, 2)]),
    (1, 3, 12, 5, 1, [(6, 5)]),
    (2, 1, 16, 70, 1, [(4, 4)]),
]
for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
    for batch, heads, channels, queries, points, sizes in cases:
        shapes = torch.tensor(sizes)
        starts = torch.cat([shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]])
        keys = int(shapes.prod(1).sum())
        value = torch.randn(batch, keys, heads, channels).to(dtype)
        places = torch.rand(batch, queries, heads, len(sizes), points, 2).mul(1.4).sub(0.2)
        places[0, 0, 0, 0, 0] = 1e9
        places = places.to(dtype)
        weights = torch.rand(batch, queries, heads, len(sizes), points).to(dtype)
        inputs = (value, shapes, starts, places, weights)
        got = deform_attn_triton.forward(*inputs)
        want = deform_attn.ms_deform_attn_forward(*inputs)
        assert got.dtype == dtype
        worst = (got - want).abs().max() / want.abs().max()
        assert worst < tolerance, (dtype, sizes, worst)
        grad = torch.randn(got.shape).to(dtype)
        wants = [torch.zeros_like(x) for x in (value, places, weights)]
        deform_attn.ms_deform_attn_backward(*inputs, grad, *wants)
        for got, want in zip(deform_attn_triton.backward(*inputs, grad), wants):
            worst = (got - want).abs().max() / want.abs().max()
            assert worst < tolerance, (dtype, sizes, worst)
empty = deform_attn_triton.forward(
    value[:0], shapes, starts, places[:0], weights[:0])
assert empty.shape == (0, queries, heads * channels)
deform_attn_triton.probe(torch.device('cpu'))
print('agreed')
"""


def test_interpreted_kernels_equal_the_torch_version():
    environment = dict(os.environ, TRITON_INTERPRET='1', CUDA_VISIBLE_DEVICES='')
    done = subprocess.run(
        [sys.executable, '-c', INTERPRETED],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip().endswith('agreed'), done.stderr[-3000:]


@pytest.mark.parametrize('dtype', ['fp32', 'bf16'])
@pytest.mark.parametrize('kernel', ['_forward_kernel', '_backward_kernel'])
def test_kernels_compile_for_a_gpu_that_is_not_here(kernel, dtype):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from mmseg_zsclip.ops import deform_attn_triton

    function = getattr(deform_attn_triton, kernel)
    sizes = {'HEADS': 8, 'CHANNELS': 32, 'LEVELS': 3, 'POINTS': 4, 'BLOCK_Q': 16, 'BLOCK_D': 32}
    types = dict.fromkeys(function.arg_names, f'*{dtype}')
    types.update({name: '*i64' for name in ('shapes', 'starts')})
    types.update({name: 'i32' for name in ('keys', 'queries')})
    types.update(
        {
            name: '*fp32'
            for name in types
            if name in ('grad_value', 'grad_locations', 'grad_weights')
        }
    )
    if 'constexprs' in inspect.signature(ASTSource).parameters:
        source = ASTSource(function, types | dict.fromkeys(sizes, 'constexpr'), constexprs=sizes)
    else:  # triton 3.2 and earlier
        types = {name: kind for name, kind in types.items() if name not in sizes}
        source = ASTSource(function, types, constants=sizes)
    compiled = triton.compile(source, target=GPUTarget('cuda', 90, 32))
    assert 'cubin' in compiled.asm
