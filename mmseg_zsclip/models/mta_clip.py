"""MTA-CLIP: Language-Guided Semantic Segmentation with Mask-Text Alignment (Das et al., ECCV 2024).

Mask2Former whose decoder has, beside its mask queries, a query for every class and context: text
queries attend to the image, mask queries to them, and after each layer both are compared in CLIP's
space. Nothing was released. What the paper leaves open is an option here; the table of defaults is
in configs/mta_clip/README.md.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from mmengine.config import ConfigDict
from mmseg.models.decode_heads.mask2former_head import Mask2FormerHead
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from ..losses.mask_text import check_choice
from ..registry import MODELS
from ..vocabulary.lists import load_classes
from .learned_prompts import LearnedPrompts
from .vocabulary import check_not_given

MAPS = 4  # of the backbone, which Mask2Former's pixel decoder takes
NO_OBJECT_WEIGHT = 0.1  # Mask2Former's


def mlp(first: int, width: int, depth: int) -> nn.Sequential:
    """`depth` linear layers from `first` channels to `width`, ReLU between them.

    Raises:
        ValueError: no layer.
    """
    if depth < 1:
        raise ValueError(f'depth is {depth}; an MLP has at least 1 linear layer, 2 by default.')
    layers = []
    for one, other in pairwise([first, *[width] * depth]):
        layers += [nn.Linear(one, other), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def attend(
    attention: nn.Module, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor, x: Tensor
) -> Tensor:
    """mmcv's attention of x (B, R, c), with positions `query`, to `value` (B, L, c), with positions
    `key`. What is hidden, (B * heads, N, L) and the same for each head, is so from the last N
    alone: the others have no mask, which would cost as much as their attention.
    """
    inner = attention.attn
    weights, biases = inner.in_proj_weight.chunk(3), inner.in_proj_bias.chunk(3)
    q, k, v = (
        linear(one, weight, bias).unflatten(-1, (inner.num_heads, -1)).transpose(1, 2)
        for one, weight, bias in zip((query, key, value), weights, biases, strict=True)
    )
    shown = ~hidden.unflatten(0, (-1, inner.num_heads))[:, :1]
    free = q.shape[2] - shown.shape[2]
    drop = inner.dropout if attention.training else 0.0
    out = [scaled_dot_product_attention(q[:, :, free:], k, v, shown, drop)]
    if free:
        out.insert(0, scaled_dot_product_attention(q[:, :, :free], k, v, None, drop))
    out = inner.out_proj(torch.cat(out, dim=2).transpose(1, 2).flatten(2))
    return x + attention.dropout_layer(attention.proj_drop(out))


class TextQueries(nn.Module):
    """Text embeddings as queries of a decoder (Eq. 1), and what they attend to.

    Args:
        prompts: of every class, (C, K, d).
        channels: of the decoder.
        depth: linear layers of the MLP.
        position: of a text query, 'zero', or 'learned'.
        mask: what of the image a text query attends to: 'none' hides nothing, 'predicted' what is
            outside of the mask that it would predict if it were a mask query.
        attention: 'joint' self-attention with the mask queries, or 'separate', where neither sees
            the other (table 4).
    """

    def __init__(
        self,
        prompts: LearnedPrompts,
        channels: int,
        depth: int = 2,
        position: str = 'zero',
        mask: str = 'none',
        attention: str = 'joint',
    ) -> None:
        super().__init__()
        self.prompts = prompts
        classes, contexts, dim = prompts.embeddings.shape
        self.count = classes * contexts
        self.mlp = mlp(dim, channels, depth)
        check_choice('position', position, ('zero', 'learned'))
        self.position = nn.Embedding(self.count, channels) if position == 'learned' else None
        self.mask = check_choice('mask', mask, ('none', 'predicted'))
        self.attention = check_choice('attention', attention, ('joint', 'separate'))

    def forward(self) -> tuple[Tensor, Tensor, Tensor]:
        """t (C, K, d); t_hat and its positions, (C * K, channels) each, class after class."""
        text = self.prompts()
        queries = self.mlp(text.flatten(0, 1))  # Eq. 1
        positions = torch.zeros_like(queries) if self.position is None else self.position.weight
        return text, queries, positions

    def unseen_queries(self, masks: int) -> Tensor | None:
        """Which query does not see which (R, R), text queries first; None hides nothing."""
        if self.attention == 'joint':
            return None
        kind = torch.arange(self.count + masks, device=self.mlp[0].weight.device) < self.count
        return kind != kind[:, None]


class Alignment(nn.Module):
    """Queries back into CLIP's space (Eq. 5).

    Args:
        channels: of the queries.
        dim: d of CLIP's space.
        layers: of the decoder.
        depth: linear layers of an MLP.
        per_layer: each layer has MLPs of its own.
        initial: align the queries before the first layer too.
    """

    def __init__(
        self,
        channels: int,
        dim: int,
        layers: int,
        depth: int = 2,
        per_layer: bool = False,
        initial: bool = False,
    ) -> None:
        super().__init__()
        self.first = 0 if initial else 1
        count = layers + 1 - self.first if per_layer else 1
        self.text = nn.ModuleList(mlp(channels, dim, depth) for _ in range(count))
        self.masks = nn.ModuleList(mlp(channels, dim, depth) for _ in range(count))

    def forward(self, queries: Tensor, text: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Queries (B, C * K + N, channels) after `step` layers and t0 (C, K, d) -> m' (B, N, d),
        t' (B, C, K, d)."""
        own = min(step - self.first, len(self.text) - 1)
        count = text.shape[0] * text.shape[1]
        moved = self.text[own](queries[:, :count]).unflatten(1, text.shape[:2])
        return self.masks[own](queries[:, count:]), moved + text  # Eq. 5


class Decoded(NamedTuple):
    """Of the mask queries before the first layer and after each: class logits (B, N, C + 1) and
    mask logits (B, N, h, w); and, by the number of layers behind it, (m', t') of `Alignment`."""

    logits: list[Tensor]
    masks: list[Tensor]
    aligned: dict[int, tuple[Tensor, Tensor]]


@MODELS.register_module()
class MTACLIPHead(Mask2FormerHead):
    """mmseg's Mask2Former head with text queries; without `text`, that head exactly.

    Args:
        classes: a shipped list ('ade150'), a text file, or the names.
        text: options of `LearnedPrompts`; None has no text queries.
        queries: options of `TextQueries`.
        alignment: options of `Alignment`.
        loss_sim: what compares masks and text; None aligns nothing (table 3, Text-Enhanced).
        loss_cls: as Mask2Former's; its `class_weight` may be left out.
        **kwargs: of mmseg's `Mask2FormerHead`, without `num_classes`.

    Raises:
        ValueError: `loss_sim` without `text`; no mask query; other than four maps, at build
            or in a pass.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        text: dict | None = None,
        queries: dict | None = None,
        alignment: dict | None = None,
        loss_sim: dict | None = None,
        *,
        loss_cls: dict,
        **kwargs,
    ) -> None:
        check_not_given(kwargs, 'num_classes')
        count = len(load_classes(classes))
        loss_cls = ConfigDict(loss_cls)
        loss_cls.setdefault('class_weight', [1.0] * count + [NO_OBJECT_WEIGHT])
        super().__init__(num_classes=count, loss_cls=loss_cls, **kwargs)
        if self.num_queries < 1:
            raise ValueError(f'num_queries is {self.num_queries}; at least 1 is needed.')
        self.in_channels = list(kwargs['in_channels'])
        self.check_maps(self.in_channels)
        self.text_queries = self.alignment = self.loss_sim = None
        if text is not None:
            prompts = LearnedPrompts(classes, **text)
            self.text_queries = TextQueries(prompts, self.decoder_embed_dims, **(queries or {}))
        elif loss_sim is not None:
            raise ValueError('loss_sim compares masks with text: give `text` too, or leave it out.')
        if loss_sim is not None:
            self.loss_sim = MODELS.build(loss_sim)
            self.alignment = Alignment(
                self.decoder_embed_dims,
                prompts.embeddings.shape[-1],
                self.num_transformer_decoder_layers,
                **(alignment or {}),
            )

    def init_weights(self) -> None:
        super().init_weights()
        if self.text_queries is not None:
            self.text_queries.prompts.init_weights()

    def check_maps(self, found: Sequence[int]) -> None:
        if len(found) != MAPS or list(found) != self.in_channels:
            raise ValueError(
                f'there are {len(found)} maps of {list(found)} channels, in_channels is '
                f'{self.in_channels}: the head takes {MAPS}, of strides 4, 8, 16 and 32. Correct '
                'in_channels; a ViT needs mmseg_zsclip.NormedPyramid as its neck.'
            )

    def forward(
        self, x: Sequence[Tensor], batch_data_samples: Sequence | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """As mmseg's; text queries are dropped, and samples are not read."""
        decoded = self.decode(x)
        return decoded.logits, decoded.masks

    def decode(self, x: Sequence[Tensor], align: bool = False) -> Decoded:
        """The backbone's maps, strides 4 to 32, through pixel decoder and mask-text decoder;
        nothing is aligned without `align`, as to predict."""
        self.check_maps([one.shape[1] for one in x])
        mask_features, maps = self.pixel_decoder(x)
        pixels = [self.level(i, one) for i, one in enumerate(maps)]
        text, query, position, unseen = None, self.query_feat.weight, self.query_embed.weight, None
        if self.text_queries is not None:
            text, *own = self.text_queries()
            query, position = map(torch.cat, zip(own, (query, position), strict=True))  # Eq. 2
            unseen = self.text_queries.unseen_queries(self.num_queries)
        # `shape`: what `len` gives is a constant of a traced model
        query, position = (one.expand(x[0].shape[0], -1, -1) for one in (query, position))
        out = Decoded([], [], {})
        for step in range(self.num_transformer_decoder_layers + 1):
            level = step % len(maps)
            logits, masks, hidden = self._forward_head(query, mask_features, maps[level].shape[2:])
            out.logits.append(logits)
            out.masks.append(masks)
            if align and self.alignment is not None and step >= self.alignment.first:
                normed = self.transformer_decoder.post_norm(query)
                out.aligned[step] = self.alignment(normed, text, step)
            if step < self.num_transformer_decoder_layers:
                key, places = pixels[level]
                layer = self.transformer_decoder.layers[step]
                hidden = hidden & ~hidden.all(dim=-1, keepdim=True)
                if text is None:
                    query = layer(query, key, key, position, places, cross_attn_mask=hidden)
                    continue
                query = attend(layer.cross_attn, query + position, key + places, key, hidden, query)
                query = layer.norms[0](query)  # Eq. 3, 4
                seen = layer.self_attn(
                    query, query_pos=position, key_pos=position, attn_mask=unseen
                )
                query = layer.norms[2](layer.ffn(layer.norms[1](seen)))
        return out

    def level(self, i: int, features: Tensor) -> tuple[Tensor, Tensor]:
        """A map (B, c, h, w) -> keys and their positions, (B, h * w, channels) each."""
        keys = self.decoder_input_projs[i](features).flatten(2).transpose(1, 2)
        everywhere = features.new_zeros((features.shape[0], *features.shape[2:]), dtype=torch.bool)
        places = self.decoder_positional_encoding(everywhere).flatten(2).transpose(1, 2)
        return keys + self.level_embed.weight[i], places

    def _forward_head(self, query: Tensor, mask_features: Tensor, size: Sequence[int]) -> tuple:
        """mmdet's, of the mask queries; what is hidden from each, and from text queries before them
        where anything is."""
        count = 0 if self.text_queries is None else self.text_queries.count
        if count and self.text_queries.mask == 'predicted':
            logits, masks, hidden = super()._forward_head(query, mask_features, size)
            return logits[:, count:], masks[:, count:], hidden
        return super()._forward_head(query[:, count:], mask_features, size)

    def loss(self, x: Sequence[Tensor], batch_data_samples: Sequence, train_cfg: dict) -> dict:
        """mmseg's losses, and L_sim of every layer that aligns, on the matches of its masks."""
        truth, metas = self._seg_data_to_instance_data(batch_data_samples)
        decoded = self.decode(x, align=True)
        self.matched = []
        losses = self.loss_by_feat(decoded.logits, decoded.masks, truth, metas)
        for step, aligned in decoded.aligned.items():
            labels = self.matched[step]
            labels = labels.masked_fill(labels == self.num_classes, -1)  # y is 0 in Eq. 7
            last = step == self.num_transformer_decoder_layers
            losses['loss_sim' if last else f'd{step}.loss_sim'] = self.loss_sim(*aligned, labels)
        return losses

    def get_targets(self, *args, **kwargs) -> tuple:
        """mmdet's, which `loss_by_feat` asks for layer after layer and keeps to itself."""
        targets = super().get_targets(*args, **kwargs)
        self.matched.append(torch.stack(targets[0]))
        return targets
