"""CLIP's text tower. Source: CLIP (Radford et al., 2021), section 2.4."""

import torch
from torch import Tensor, nn

from .vit import Transformer


class TextTransformer(nn.Module):
    """Causal transformer over byte-pair tokens, read at the end-of-text token.

    Parameter names are OpenAI's (`token_embedding`, `ln_final`, `text_projection`, ...).
    """

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        output_dim: int,
        context_length: int = 77,
        vocab_size: int = 49408,
        activation: str = 'gelu',
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.context_length = context_length
        self.output_dim = output_dim
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(context_length, width))
        self.transformer = Transformer(width, layers, heads, activation, mlp_ratio, norm_eps)
        self.ln_final = nn.LayerNorm(width, eps=norm_eps)
        self.text_projection = nn.Parameter(torch.empty(width, output_dim))
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=width**-0.5)

    def embed(self, tokens: Tensor) -> Tensor:
        """Token ids (B, L) int64 -> word embeddings (B, L, W), before positions."""
        return self.token_embedding(tokens)

    def encode(self, words: Tensor, eot: Tensor) -> Tensor:
        """Word embeddings (B, L, W) and end-of-text indices (B,) -> (B, d), not normalised.

        Gradients flow to `words`, so that a method can learn its context.
        """
        length = words.shape[1]
        x = words + self.positional_embedding[:length].to(words.dtype)
        causal = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        x = self.ln_final(self.transformer(x, causal))
        return x[torch.arange(x.shape[0], device=x.device), eot] @ self.text_projection

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (B, L) int64 -> (B, d), not normalised.

        End-of-text is the largest id of CLIP's vocabulary. Attention is causal, so columns past
        the last end-of-text of the batch change nothing and are not computed.
        """
        eot = tokens.argmax(dim=-1)
        tokens = tokens[:, : int(eot.max()) + 1]
        return self.encode(self.embed(tokens), eot)
