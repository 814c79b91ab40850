"""FreeSeg's text in a proposal generator (Qin et al., CVPR 2023), as MAFT's stage 1 retrains it.

Two modules that stand in the place of parts of mmdet's Mask2Former head, which stays as it is: text
meets the feature maps behind the pixel decoder, and text embeddings are the classifier of the
queries.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..clip.prompts import cosines, joined_rows
from .attention import multi_head_attention


class CrossAttention(nn.Module):
    """Attention of queries of one width to keys of another, of an inner width of its own."""

    def __init__(self, dim: int, text_dim: int, inner: int, heads: int, dropout: float) -> None:
        super().__init__()
        if inner % heads:
            raise ValueError(f'inner width {inner} is no multiple of heads {heads}.')
        self.heads = heads
        self.dropout = dropout
        self.q_proj = nn.Linear(dim, inner)
        self.k_proj = nn.Linear(text_dim, inner)
        self.v_proj = nn.Linear(text_dim, inner)
        self.out_proj = nn.Linear(inner, dim)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """(B, N, dim), (R, text_dim) -> (B, N, dim)."""
        text = text.expand(len(x), -1, -1)
        q, k, v = self.q_proj(x), self.k_proj(text), self.v_proj(text)
        dropout = self.dropout if self.training else 0.0
        return self.out_proj(multi_head_attention(q, k, v, self.heads, dropout))


class TextInteraction(nn.Module):
    """q <- LN(q); q <- q + gamma Attn(q, text), one module for all maps.

    The text goes through its norm again for each map: once for the coarsest, four times for the
    mask features, as released. So the masks depend on the vocabulary.

    Args:
        dim: channels of the maps.
        text_dim: d of the text embeddings.
        inner, heads, dropout: of the attention; 2048, 8, 0.1 in FreeSeg.
    """

    def __init__(
        self,
        dim: int = 256,
        text_dim: int = 512,
        inner: int = 2048,
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.layer_norm_q_1 = nn.LayerNorm(dim)
        self.layer_norm_k_1 = nn.LayerNorm(text_dim)
        self.attn = CrossAttention(dim, text_dim, inner, heads, dropout)
        self.gamma = nn.Parameter(torch.full((dim,), 0.1))

    def forward(self, maps: Sequence[Tensor], text: Tensor) -> list[Tensor]:
        """Maps (B, dim, h, w), coarse to fine and the mask features last; text (R, text_dim)."""
        out = []
        for one in maps:
            text = self.layer_norm_k_1(text)
            x = self.layer_norm_q_1(one.flatten(2).transpose(1, 2))
            x = x + self.gamma * self.attn(x, text)
            out.append(x.transpose(1, 2).unflatten(2, one.shape[2:]))
        return out


class InteractingPixelDecoder(nn.Module):
    """A pixel decoder of mmdet's Mask2Former, and behind it the text, which `meet` hands in."""

    def __init__(self, decoder: nn.Module, interaction: TextInteraction) -> None:
        super().__init__()
        self.decoder = decoder
        self.interaction = interaction
        self.text = None

    def meet(self, text: Tensor) -> None:
        """Take (R, d) for the passes to come."""
        self.text = text

    def init_weights(self) -> None:
        self.decoder.init_weights()

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """mmdet's: the backbone's maps -> mask features, and three maps from coarse to fine."""
        mask_features, maps = self.decoder(feats)
        *maps, mask_features = self.interaction([*maps, mask_features], self.text)
        return mask_features, maps


class TextClassifier(nn.Module):
    """Queries against text: `scale` times the cosines with [text; no object].

    Args:
        dim: channels of the queries.
        text_dim: d of the text embeddings.
        hidden: widths between; (1024,) in FreeSeg, () is ZegFormer's single layer.
        scale: of the cosines, 100 in both.
    """

    def __init__(
        self,
        dim: int = 256,
        text_dim: int = 512,
        hidden: Sequence[int] = (1024,),
        scale: float = 100.0,
    ) -> None:
        super().__init__()
        widths = [dim, *hidden, text_dim]
        self.layers = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
        self.no_object = nn.Parameter(torch.randn(1, text_dim) * text_dim**-0.5)
        self.scale = scale
        self.text = None

    def meet(self, text: Tensor) -> None:
        """Take (C, d) or (C, S, d), L2-normalised, for the passes to come."""
        self.text = text

    def rows(self) -> Tensor:
        """[text; no object], (C + 1, d) or (C + 1, S, d), L2-normalised."""
        return joined_rows(self.text, F.normalize(self.no_object, dim=1))

    def names(self) -> Tensor:
        """The same, (R + 1, d): of several synonyms each once, as a row like any other."""
        if self.text.dim() == 2:
            return self.rows()
        each = self.text.flatten(0, 1).unique(dim=0)
        return torch.cat([each, F.normalize(self.no_object, dim=1)])

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> logits (..., C + 1), the last of no object."""
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else x.relu())
        return cosines(self.scale * F.normalize(x, dim=-1), self.rows())
