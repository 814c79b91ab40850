"""What can take the place of the attention of CLIP's last block, so that its patches stay apart.

Most are mixtures of attentions over the last block's values, head by head,

    out_proj(sum_t weight_t softmax(q_t k_t^T / sqrt(d) + bias_t) v).

The CLS token is a key and a value among the patches, as in CLIP; in `value` no token sees
another, and `sc` is of patches alone. `residual` and `ffn` are what the method does with the rest
of the block.

| name | method | terms | residual, ffn |
| --- | --- | --- | --- |
| value | MaskCLIP (Zhou et al., ECCV 2022) | none: out_proj(v) | True |
| last | CLIP, unmodified | q k^T | True |
| qq+kk | SCLIP (Wang et al., ECCV 2024) | q q^T, k k^T | True |
| qq | ClearCLIP (Lan et al., ECCV 2024) | q q^T | False |
| kk | NACLIP (Hajimiri et al., WACV 2025) | k k^T + Gaussian window | False |
| rcs | ResCLIP's RCS (Yang et al., CVPR 2025) | as kk, q k^T of middle blocks | False |
| sc | SC-CLIP's single pass (Bai et al., 2024) | see `SelfCalibrated` | False |

Not built: what needs a second pass (ResCLIP's SFR, SC-CLIP's multi-level fusion).

Block numbers of the papers are of 12 blocks; another depth takes the same share of it, rounded
down.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .encoders import check_indices
from .patch_outliers import cosines, local_outliers, repair

PAPER_DEPTH = 12


@dataclass(frozen=True)
class Tokens:
    """What an attention of the last block sees.

    Args:
        blocks: of the tower.
        inputs: of the last block and of those it `reads`, by index, each (B, 1 + N, D) with the
            CLS token first.
        normed: the last block's input after its ln_1.
        grid: (h, w) of the N patches.
    """

    blocks: nn.ModuleList
    inputs: Mapping[int, Tensor]
    normed: Tensor
    grid: tuple[int, int]


@dataclass(frozen=True)
class Term:
    """weight * softmax(q k^T / sqrt(d) + bias); q and k (B, heads, 1 + N, d), bias (N, 1 + N)."""

    q: Tensor
    k: Tensor
    bias: Tensor | None = None
    weight: float = 1.0


class BlockAttention:
    """Takes the place of the last block's attention."""

    def reads(self, depth: int) -> tuple[int, ...]:
        """The blocks, of `depth`, whose inputs it looks at besides the last one's.

        Raises:
            ValueError: blocks that the tower does not have.
        """
        return ()

    def __call__(self, tokens: Tokens) -> Tensor:
        """Patches (B, N, D) with out_proj applied; the CLS token is left out."""
        raise NotImplementedError


class Value(BlockAttention):
    """MaskCLIP, section 3.3: query and key removed."""

    def __call__(self, tokens: Tokens) -> Tensor:
        return tokens.blocks[-1].attn.values(tokens.normed[:, 1:])


class Mixture(BlockAttention):
    """A sum of attentions over the last block's values, in float32 also under autocast."""

    def terms(self, tokens: Tokens, q: Tensor, k: Tensor) -> list[Term]:
        """`q`, `k` of the last block -> what is summed."""
        raise NotImplementedError

    def __call__(self, tokens: Tokens) -> Tensor:
        attn = tokens.blocks[-1].attn
        q, k, v = attn.qkv(tokens.normed)
        terms = self.terms(tokens, q, k)
        with float32(v):
            out = sum(
                term.weight
                * F.scaled_dot_product_attention(
                    term.q[:, :, 1:].float(), term.k.float(), v.float(), term.bias
                )
                for term in terms
            )
        return attn.out_proj(out.to(v.dtype).transpose(1, 2).flatten(2))


class Unmodified(Mixture):
    """CLIP's own."""

    def terms(self, tokens: Tokens, q: Tensor, k: Tensor) -> list[Term]:
        return [Term(q, k)]


class SelfCorrelation(Mixture):
    """Queries with queries, keys with keys, or the sum of both.

    Args:
        of: 'q', 'k' or 'qk'.
        gaussian_std: adds the window of this standard deviation, in patches, to the logits. 'kk'
            has 5, the others none, if left out.
    """

    def __init__(self, of: str, gaussian_std: float | None = None) -> None:
        if gaussian_std is not None and gaussian_std <= 0:
            raise ValueError(
                f'gaussian_std is {gaussian_std}; legal values: a positive number of '
                'patches (5 in NACLIP), or None for no window.'
            )
        self.of = of
        self.gaussian_std = gaussian_std

    def terms(self, tokens: Tokens, q: Tensor, k: Tensor) -> list[Term]:
        bias = None
        if self.gaussian_std is not None:
            bias = gaussian_window(tokens.grid, self.gaussian_std, q.device)
        return [Term(part, part, bias) for name, part in (('q', q), ('k', k)) if name in self.of]


class ResidualCrossCorrelation(Mixture):
    """ResCLIP's RCS: A = (1 - weight) A_base + weight mean_i A_i, A_i the attention of block i.

    Args:
        base: 'kk' as in NACLIP, 'qq+kk', 'qq' or 'last', or a dict with their options.
        blocks: the middle blocks, from 0; 5 to 8 of 12, as in the release, if left out.
        weight: of the middle blocks, 0.5 as secondary sources give it.
    """

    def __init__(
        self, base: str | dict = 'kk', blocks: Sequence[int] | None = None, weight: float = 0.5
    ) -> None:
        if not 0 <= weight <= 1:
            raise ValueError(
                f'weight is {weight}; legal values: 0 to 1, the share of the middle blocks.'
            )
        self.base = build_attention(base)
        if not isinstance(self.base, Unmodified | SelfCorrelation):
            raise ValueError(  # noqa: TRY004  it is a value of the config
                f"base is {base!r}; legal: 'kk', 'qq+kk', 'qq', 'last', or a dict with their "
                'options.'
            )
        self.blocks = blocks
        self.weight = weight

    def reads(self, depth: int) -> tuple[int, ...]:
        blocks = self.blocks
        if blocks is None:
            blocks = range(5 * depth // PAPER_DEPTH, 9 * depth // PAPER_DEPTH)
        return check_indices(blocks, depth, 'blocks', 'blocks of the attention')

    def terms(self, tokens: Tokens, q: Tensor, k: Tensor) -> list[Term]:
        base = [
            Term(term.q, term.k, term.bias, (1 - self.weight) * term.weight)
            for term in self.base.terms(tokens, q, k)
        ]
        middle = self.reads(len(tokens.blocks))
        for i in middle:
            block = tokens.blocks[i]
            q, k, _ = block.attn.qkv(block.ln_1(tokens.inputs[i]))
            base.append(Term(q, k, weight=self.weight / len(middle)))
        return base


class SelfCalibrated(BlockAttention):
    """SC-CLIP's single pass, of patches alone: without its second one over summed blocks.

    1. Outliers among the last block's inputs become the mean of their sound neighbours.
    2. Patches are averaged with those that the middle block finds similar.
    3. Their attention is the mean of softmax(k k^T / sqrt(d)) and of the softmax over the middle
       block's similarities above the image's mean, `SHARPNESS` times as large.
    4. `cls_weight` times the CLS token is added.
    5. Patches are averaged with those that the shallow block finds similar.

    Constants are the released code's. Differs from it: the local outlier factor is Breunig et
    al.'s, with the neighbours' own k-distances; grids need not be square nor batches of one image.

    Args:
        middle, shallow: the blocks whose inputs give the similarities, from 0; those of the
            release, 9 and 4 of 12, if left out.
        neighbours: of the local outlier factor.
        outliers: their share of an image's patches.
        cls_weight: see 4.
    """

    SHARPNESS = 3.0
    SIMILAR = 0.4  # the least cosine that counts in 2 and 5

    def __init__(
        self,
        middle: int | None = None,
        shallow: int | None = None,
        neighbours: int = 30,
        outliers: float = 0.05,
        cls_weight: float = 0.3,
    ) -> None:
        if neighbours < 1:
            raise ValueError(f'neighbours is {neighbours}; give at least 1.')
        if not 0 <= outliers < 1:
            raise ValueError(
                f'outliers is {outliers}; legal values: a share of the patches, from 0 '
                '(repairs none) to below 1.'
            )
        self.middle = middle
        self.shallow = shallow
        self.neighbours = neighbours
        self.outliers = outliers
        self.cls_weight = cls_weight

    def reads(self, depth: int) -> tuple[int, ...]:
        middle = 9 * depth // PAPER_DEPTH if self.middle is None else self.middle
        shallow = 4 * depth // PAPER_DEPTH if self.shallow is None else self.shallow
        return check_indices((middle, shallow), depth, 'blocks', 'middle and shallow')

    def __call__(self, tokens: Tokens) -> Tensor:
        block, x = tokens.blocks[-1], tokens.inputs[len(tokens.blocks) - 1]
        middle, shallow = (tokens.inputs[i][:, 1:].float() for i in self.reads(len(tokens.blocks)))
        cls, patches = x[:, :1], x[:, 1:].float()
        with float32(x):
            strange = local_outliers(patches, self.neighbours, self.outliers)
            similar = cosines(repair(middle, strange, tokens.grid))
            patches = self.average(similar, repair(patches, strange, tokens.grid))
            logits = self.SHARPNESS * (similar - similar.mean(dim=(1, 2), keepdim=True))
            # a token's own logit is positive, but for rounding where all tokens are alike
            weights = logits.masked_fill(logits < -1e-5, -torch.inf).softmax(dim=-1)
        _, k, v = block.attn.qkv(block.ln_1(patches.to(x.dtype)))
        with float32(x):
            k, values = k.float(), v.float()
            out = F.scaled_dot_product_attention(k, k, values) + weights[:, None] @ values
        out = block.attn.out_proj((out / 2).to(v.dtype).transpose(1, 2).flatten(2))
        with float32(x):
            return self.average(cosines(shallow), (out + self.cls_weight * cls).float()).to(
                out.dtype
            )

    def average(self, similar: Tensor, x: Tensor) -> Tensor:
        """Mean of similar tokens: cosines (B, N, N) and x (B, N, D) -> (B, N, D)."""
        return F.normalize(similar.where(similar >= self.SIMILAR, 0.0), p=1, dim=-1) @ x


def float32(x: Tensor) -> torch.autocast:
    """A block of code in which autocast lowers no precision."""
    return torch.autocast(x.device.type, enabled=False)


def gaussian_window(
    grid: tuple[int, int], std: float, device: torch.device | None = None
) -> Tensor:
    """NACLIP's neighbourhood: exp(-|p_i - p_j|^2 / (2 std^2)) of patches, 0 for the CLS token.

    Args:
        grid: (h, w). std: in patches.

    Returns:
        (h * w, 1 + h * w), column 0 the CLS token's.
    """
    places = torch.cartesian_prod(*(torch.arange(side, device=device) for side in grid)).float()
    distance = (places[:, None] - places[None]).square().sum(dim=-1)
    return F.pad((-distance / (2 * std**2)).exp(), (1, 0))


BLOCK_ATTENTIONS: dict[str, Callable[..., BlockAttention]] = {
    'value': Value,
    'last': Unmodified,
    'qq': partial(SelfCorrelation, 'q'),
    'kk': partial(SelfCorrelation, 'k', gaussian_std=5.0),
    'qq+kk': partial(SelfCorrelation, 'qk'),
    'rcs': ResidualCrossCorrelation,
    'sc': SelfCalibrated,
}


METHODS = dict(maskclip='value', clip='last', sclip='qq+kk', clearclip='qq', naclip='kk')


def check_attention(table: Mapping[str, Callable], attention: str, also: Sequence[str] = ()) -> str:
    if attention not in table and attention not in also:
        raise ValueError(
            f'attention is {attention!r}; legal values: {", ".join([*table, *also])}. '
            "MaskCLIP's are 'value' and, as its baseline, 'last'."
        )
    return attention


def attention_options(attention: str | dict) -> tuple[str, dict]:
    """A name, or a dict of `type` and options -> the name, checked, and the options."""
    options = dict(type=attention) if isinstance(attention, str) else dict(attention)
    return check_attention(BLOCK_ATTENTIONS, options.pop('type', None), tuple(METHODS)), options


def build_attention(attention: str | dict) -> BlockAttention:
    """A key of `BLOCK_ATTENTIONS` or `METHODS`, or a dict of `type` and options, to the attention.

    Raises:
        ValueError: unknown name, unknown option, option out of range.
    """
    name, options = attention_options(attention)
    name = METHODS.get(name, name)
    legal = list(inspect.signature(BLOCK_ATTENTIONS[name]).parameters)
    unknown = sorted(set(options) - set(legal))
    if unknown:
        raise ValueError(
            f'attention {name!r} has no option {", ".join(unknown)}; legal: '
            f'{", ".join(legal) or "none"}.'
        )
    return BLOCK_ATTENTIONS[name](**options)


def kept_parts(attention: str | dict, residual: bool | None, ffn: bool | None) -> tuple[bool, bool]:
    """Whether the block keeps its residual and its feed-forward network: as the attention's method
    does where None is given.

    Raises:
        ValueError: a method with settings that may make it another one.
    """
    name, options = attention_options(attention)
    raw = METHODS.get(name, name)
    own = raw in ('value', 'last', 'qq+kk')  # the table above, last column
    given = {
        key: value
        for key, value in dict(residual=residual, ffn=ffn).items()
        if value not in (None, own)
    }
    if name in METHODS and (given or options):
        settings = ', '.join(f'{key}={value}' for key, value in {**options, **given}.items())
        raise ValueError(
            f'attention {name!r} is a whole method, {raw!r} with residual={own} and ffn={own}, and '
            f'takes no other settings; got {settings}. Leave them out, or write attention={raw!r}, '
            'which takes any.'
        )
    return own if residual is None else residual, own if ffn is None else ffn
