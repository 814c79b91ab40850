"""CLIP's vision transformer, in parts that a method walks: patchify, positions, blocks, project.

Parameter names are OpenAI's (`conv1`, `ln_pre`, `transformer.resblocks.0.attn.in_proj_weight`),
so published towers load with no renaming. Source: CLIP (Radford et al., 2021), section 2.4.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the activation of OpenAI's weights."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {'gelu': nn.GELU, 'quick_gelu': QuickGELU}


def build_activation(name: str) -> nn.Module:
    if name not in ACTIVATIONS:
        raise ValueError(
            f'activation is {name!r}; legal values: {", ".join(ACTIVATIONS)}. '
            "OpenAI's weights need 'quick_gelu', most others 'gelu'."
        )
    return ACTIVATIONS[name]()


class Attention(nn.Module):
    """Multi-head self-attention whose queries, keys and values can be taken apart.

    Parameters are those of `nn.MultiheadAttention`. Sequences are (B, N, D).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f'width {width} is no multiple of heads {heads}.')
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.normal_(self.in_proj_weight, std=width**-0.5)

    def split_heads(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, heads, N, D / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def inputs(self, x: Tensor, names: str = 'qkv') -> tuple[Tensor, ...]:
        """Queries, keys or values of x, as `names` says ('q', 'kv', ...), each (B, N, D)."""
        width, first = self.out_proj.in_features, 'qkv'.index(names)
        rows = slice(first * width, (first + len(names)) * width)
        return F.linear(x, self.in_proj_weight[rows], self.in_proj_bias[rows]).chunk(
            len(names), dim=-1
        )

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (B, heads, N, D / heads)."""
        return tuple(map(self.split_heads, self.inputs(x)))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """softmax(q k^T / sqrt(D / heads) + mask) v, projected: (B, N, D).

        `mask` is boolean (True = may attend) or added to the logits, broadcastable to
        (B, heads, N, number of keys).
        """
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def values(self, x: Tensor) -> Tensor:
        """out_proj(V(x)), (B, N, D): attention in which each token sees itself alone."""
        return self.out_proj(*self.inputs(x, 'v'))

    def cross(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, N, D) attend to other tokens (B, M, D) alone: (B, N, D).
        `mask` as in `attend`."""
        return self.attend(
            *map(self.split_heads, (*self.inputs(x, 'q'), *self.inputs(context, 'kv'))), mask
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.attend(*self.qkv(x), mask)


class ResidualAttentionBlock(nn.Module):
    """Pre-norm transformer block: x + attn(ln_1(x)), then x + mlp(ln_2(x))."""

    def __init__(
        self,
        width: int,
        heads: int,
        activation: str = 'gelu',
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.ln_1 = nn.LayerNorm(width, eps=norm_eps)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, hidden),
                gelu=build_activation(activation),
                c_proj=nn.Linear(hidden, width),
            )
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp(self.ln_2(x))

    def cross(self, x: Tensor, context: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
        """The block over tokens that attend to others through its weights, and not the other way.

        Args:
            x: (B, N, D), what the block changes.
            context: all that x attends to, one after another, each (B, M, D) or, for every image
                the same, (M, D). x attends to itself only where it is among them.
            mask: as in `Attention.attend`, over all of the context.

        Returns:
            (B, N, D).
        """
        normed = self.ln_1(x)
        batch = x.shape[0]  # not len(x), which a trace takes for a constant
        seen = [normed if one is x else self.ln_1(one).expand(batch, -1, -1) for one in context]
        x = x + self.attn.cross(normed, torch.cat(seen, dim=1), mask)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """A stack of blocks; it exists so that parameters are named `transformer.resblocks.{i}`."""

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        activation: str = 'gelu',
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(
            ResidualAttentionBlock(width, heads, activation, mlp_ratio, norm_eps)
            for _ in range(layers)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


def resize_positions(
    positions: Tensor, grid: tuple[int, int], mode: str = 'bicubic', align_corners: bool = False
) -> Tensor:
    """Resize the patch rows of learned positions to another grid; the class row stays.

    Args:
        positions: (1 + s * s, D), row 0 for the CLS token.
        grid: (h, w) of the patches; h and w may differ.
        mode: 'bicubic', or 'bilinear' as in ZegCLIP's release.
        align_corners: True as in MAFT's release.

    Returns:
        (1 + h * w, D).
    """
    rows = int(positions.shape[0])  # a parameter's, but a tensor while torch.jit.trace runs
    side = math.isqrt(max(rows - 1, 0))
    if side * side != rows - 1:
        raise ValueError(
            f'positions has {rows} rows; expected 1 + s * s for a '
            'square pre-training grid of s x s patches.'
        )
    if grid == (side, side):
        return positions
    cls, patches = positions[:1], positions[1:]
    patches = patches.T.reshape(1, -1, side, side)
    patches = F.interpolate(patches.float(), size=grid, mode=mode, align_corners=align_corners).to(
        cls.dtype
    )
    return torch.cat([cls, patches.flatten(2)[0].T])


class VisionTransformer(nn.Module):
    """CLIP's ViT. Images are (B, 3, H, W), RGB, normalised with CLIP's statistics.

    H and W need not be the pre-training size: positions follow the image's own grid of
    h = H // patch_size by w = W // patch_size patches (pixels past it are not seen).
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        width: int,
        layers: int,
        heads: int,
        output_dim: int,
        activation: str = 'gelu',
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.patch_size = patch_size
        self.width = width
        self.output_dim = output_dim
        self.conv1 = nn.Conv2d(3, width, patch_size, patch_size, bias=False)
        scale = width**-0.5
        rows = (image_size // patch_size) ** 2 + 1
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(rows, width))
        self.ln_pre = nn.LayerNorm(width, eps=norm_eps)
        self.transformer = Transformer(width, layers, heads, activation, mlp_ratio, norm_eps)
        self.ln_post = nn.LayerNorm(width, eps=norm_eps)
        self.proj = nn.Parameter(scale * torch.randn(width, output_dim))

    @property
    def blocks(self) -> nn.ModuleList:
        return self.transformer.resblocks

    def patchify(self, img: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Image -> patch tokens (B, h * w, D), row by row, and their grid (h, w)."""
        if min(img.shape[-2:]) < self.patch_size:
            raise ValueError(
                f'image is {img.shape[-2]} x {img.shape[-1]} pixels, smaller than one '
                f'patch of {self.patch_size}; give at least one patch.'
            )
        x = self.conv1(img)
        return x.flatten(2).transpose(1, 2), (x.shape[2], x.shape[3])

    def positions(
        self, grid: tuple[int, int], mode: str = 'bicubic', align_corners: bool = False
    ) -> Tensor:
        """Positions (1 + h * w, D) for a grid (h, w)."""
        return resize_positions(self.positional_embedding, grid, mode, align_corners)

    def assemble(self, patches: Tensor, positions: Tensor, cls: Tensor | None = None) -> Tensor:
        """Patches (B, N, D) and positions (1 + N, D) -> input of block 0, (B, 1 + N, D).

        `cls` (D,) takes the place of the learnt CLS token.
        """
        cls = self.class_embedding if cls is None else cls
        cls = cls.to(patches.dtype).expand(patches.shape[0], 1, -1)
        return self.ln_pre(torch.cat([cls, patches], dim=1) + positions.to(patches.dtype))

    def embed(self, img: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Image -> input of block 0, (B, 1 + h * w, D) with the CLS token first; and (h, w)."""
        x, grid = self.patchify(img)
        return self.assemble(x, self.positions(grid)), grid

    def project(self, x: Tensor) -> Tensor:
        """Tokens (..., D) -> joint image-text space (..., d), not normalised."""
        return self.ln_post(x) @ self.proj

    def forward(self, img: Tensor) -> Tensor:
        """Image -> image embedding (B, d), not normalised."""
        x, _ = self.embed(img)
        return self.project(self.transformer(x)[:, 0])
