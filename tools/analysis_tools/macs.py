"""Counts multiply-accumulates by one rule, whatever torch dispatches to.

torch's own `FlopCounterMode` counts what its release has a formula for: the same
`nn.MultiheadAttention` becomes products in one version and a fused kernel without a formula in the
next. Here every operator that multiplies matrices has its rule, and one that looks as if it did
and has none is an error, never a zero.
"""

import re
from collections.abc import Callable
from math import prod

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# Operators of products by name; what matches and has no rule below stops the count.
PRODUCTS = re.compile(
    r'mm$|mm_|matmul|linear|^mv$|addmv|^v?dot$|addr$|conv|attention|encoder_layer|einsum|bilinear$|'
    r'lstm|gru|rnn'
)
# These move or fill memory only, whatever their names say.
FREE = re.compile(r'upsample|interpolate|weight_int4pack|convert|_to_copy')


def matrix(a: Tensor, b: Tensor) -> int:
    """(..., n, k) x (..., k, m): n k m a pair of matrices."""
    return a.numel() * b.shape[-1]


def vector(a: Tensor, b: Tensor) -> int:
    """(n, k) x (k), or (k) x (k): one a number of `a`."""
    return a.numel()


def convolution(x: Tensor, weight: Tensor, transposed: bool, out: Tensor) -> int:
    """One a weight of a filter, and place where the filter stands: in the output, or in the input
    of a transposed convolution."""
    places = x if transposed else out
    return places.shape[0] * prod(places.shape[2:]) * weight.numel()


def attention(q: Tensor, k: Tensor, v: Tensor) -> int:
    """(B, heads, L, d), (B, heads, S, d), (B, heads, S, e): scores, then their sum of values."""
    return q.shape[:-1].numel() * k.shape[-2] * (q.shape[-1] + v.shape[-1])


def multihead(query: Tensor, key: Tensor, qkv: Tensor, proj: Tensor) -> int:
    """(B, L, D), (B, S, D): the four projections, and attention of all heads together."""
    batch, length, dim = query.shape
    projected = query.shape[:-1].numel() * (qkv.numel() // 3 + proj.numel())
    projected += 2 * key.shape[:-1].numel() * (qkv.numel() // 3)
    return projected + 2 * batch * length * key.shape[1] * dim


def encoder_layer(args: tuple) -> int:
    """torch's fused `nn.TransformerEncoderLayer`."""
    x, qkv, proj, first, second = args[0], args[3], args[5], args[14], args[16]
    return multihead(x, x, qkv, proj) + x.shape[:-1].numel() * (first.numel() + second.numel())


# operator: its multiply-accumulates from its arguments and its result
RULES: dict[str, Callable[[tuple, object], int]] = {
    'mm': lambda args, out: matrix(*args[:2]),
    'bmm': lambda args, out: matrix(*args[:2]),
    'addmm': lambda args, out: matrix(*args[1:3]),
    'baddbmm': lambda args, out: matrix(*args[1:3]),
    'addbmm': lambda args, out: matrix(*args[1:3]),
    '_addmm_activation': lambda args, out: matrix(*args[1:3]),
    'mv': lambda args, out: vector(*args[:2]),
    'addmv': lambda args, out: vector(*args[1:3]),
    'dot': lambda args, out: vector(*args[:2]),
    'vdot': lambda args, out: vector(*args[:2]),
    'convolution': lambda args, out: convolution(args[0], args[1], args[6], out),
    '_convolution': lambda args, out: convolution(args[0], args[1], args[6], out),
    '_native_multi_head_attention': lambda args, out: multihead(args[0], args[1], args[5], args[7]),
    '_transformer_encoder_layer_fwd': lambda args, out: encoder_layer(args),
}
SCALED_DOT_PRODUCT = re.compile(r'^_scaled_dot_product_(?!\w*backward)\w*$')


def attention_rule(args: tuple, out: object) -> int:
    return attention(*args[:3])


class MacCounter(TorchDispatchMode):
    """Adds up in `total` the multiply-accumulates of a forward pass run inside it.

    Rule: one per weight and output place of every convolution and matrix product, those inside
    attention included, whole where a mask hides a part. All else counts nothing.

    Raises:
        NotImplementedError: an operator of products without a rule, such as a recurrent layer, or
            a backward pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        rule = attention_rule if SCALED_DOT_PRODUCT.match(name) else RULES.get(name)
        if rule is None and func.namespace == 'aten':
            # In inference mode composite operators arrive whole: count what they consist of.
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        if rule is None and PRODUCTS.search(name) and not FREE.search(name):
            raise NotImplementedError(
                f'no rule counts the multiply-accumulates of {func}; rules exist for '
                f'{", ".join(RULES)} and scaled dot products: add one to '
                'tools/analysis_tools/macs.py.'
            )
        out = func(*args, **kwargs)
        self.total += rule(args, out) if rule else 0
        return out


def count_macs(run: Callable[[], object]) -> int:
    """Multiply-accumulates of `run()`; see `MacCounter` for the rule."""
    with torch.no_grad(), MacCounter() as counter:
        run()
    return counter.total
