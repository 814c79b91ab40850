"""ZegCLIP: Towards Adapting CLIP for Zero-shot Semantic Segmentation (Zhou et al., CVPR 2023).

Differs from the released code:
- Its backbone: see `deep_prompts`.
- Dice is Eq. 5 with its squares, and ignored pixels take no part in the losses; see `losses`.
- Parameters that no output depends on are not built: the release declares a self-attention in each
  decoder layer and, in the last one, values and a feed-forward network (see docs/paper_to_code.md).
"""

import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import accuracy
from mmseg.models.utils import resize
from torch import Tensor, nn

from ..registry import MODELS
from ..vocabulary.labels import UNLABELLED, check_labels, legal_ignore
from .attention import multi_head_attention
from .deep_prompts import DeepPromptedViT
from .vocabulary import HasVocabulary, Vocabulary, check_not_given, check_one_clip

QUERY_TERMS = {
    't': lambda t, g: t.expand(g.shape[0], -1, -1),
    'g': lambda t, g: g.expand(-1, t.shape[1], -1),
    't*g': lambda t, g: t * g,  # Eq. 7, the relationship descriptor r
    '|t-g|': lambda t, g: (t - g).abs(),
    't-g': lambda t, g: t - g,
    't+g': lambda t, g: t + g,
}


SCORES = dict(sigmoid=torch.sigmoid, softmax=partial(torch.softmax, dim=1))


def query_terms(query: str | Sequence[str]) -> list[str]:
    """'t*g,t' or ['t*g', 't'] (what --cfg-options makes of it) -> ['t*g', 't'], checked."""
    terms = query.split(',') if isinstance(query, str) else list(query)
    if not terms or not set(terms) <= set(QUERY_TERMS):
        raise ValueError(
            f'query is {query!r}; legal terms, joined by commas: '
            f"{', '.join(QUERY_TERMS)}. The paper's is 't*g,t'."
        )
    return terms


def class_queries(text: Tensor, cls: Tensor, terms: Sequence[str] = ('t*g', 't')) -> Tensor:
    """Image-specific text queries (section 3.5, Eq. 8; the formats of table 4).

    Args:
        text: (C, d) L2-normalised text embeddings.
        cls: (B, d) L2-normalised image embedding, the CLS token's.
        terms: keys of `QUERY_TERMS`, concatenated in the order given.

    Returns:
        (B, C, n * d) for n terms.
    """
    t, g = text[None], cls[:, None]
    return torch.cat([QUERY_TERMS[term](t, g) for term in terms], dim=-1)


class CrossAttention(nn.Module):
    """Queries look at patches; the scaled dot products are the masks (Eq. 1 and 2).

    With `masks_only`, the attention's output is never used and its parameters are not built.
    """

    def __init__(self, dim: int, heads: int, dropout: float, masks_only: bool = False) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f'dim {dim} is no multiple of num_heads {heads}.')
        self.heads = heads
        self.dropout = dropout
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        if not masks_only:
            self.v = nn.Linear(dim, dim)
            self.proj = nn.Linear(dim, dim)

    def masks(self, queries: Tensor, patches: Tensor) -> Tensor:
        """(B, C, d), (B, N, d) -> (B, C, N): Q K^T / sqrt(head width), averaged over heads.

        The mean over heads of their dot products is the whole dot product over the head count.
        There are fewer queries than patches, so that W_k is applied to them:
            Q (P W_k^T)^T = (Q W_k) P^T.
        """
        q = self.q(queries) / (self.heads * math.sqrt(queries.shape[-1] / self.heads))
        return q @ self.k.weight @ patches.transpose(1, 2) + (q @ self.k.bias)[..., None]  # Eq. 2

    def forward(self, queries: Tensor, patches: Tensor) -> Tensor:
        """(B, C, d), (B, N, d) -> (B, C, d)."""
        q, k, v = self.q(queries), self.k(patches), self.v(patches)  # Eq. 1
        dropout = self.dropout if self.training else 0.0
        return self.proj(multi_head_attention(q, k, v, self.heads, dropout))


class DecoderLayer(nn.Module):
    """Cross-attention and feed-forward network, post-norm; no self-attention (Fig. 2, right)."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attn = CrossAttention(dim, heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.norm1 = nn.LayerNorm(dim)
        self.ffn = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim)
        )
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, queries: Tensor, patches: Tensor) -> Tensor:
        queries = self.norm1(queries + self.dropout(self.attn(queries, patches)))
        return self.norm2(queries + self.dropout(self.ffn(queries)))


@MODELS.register_module()
class ZegCLIPHead(HasVocabulary, BaseDecodeHead):
    """Matches text queries with patch embeddings (sections 3.2, 3.4, 3.5).

    Inputs are feature maps, the last `use_stages` used, optionally followed by a (B, d) class
    embedding, as `DeepPromptedViT` returns them. With `query='t'` any backbone will do.

    Args:
        classes: all classes, as in `Vocabulary`.
        text: `arch`, `weights` and `templates` of the text tower, see `Vocabulary`.
        unseen: names of the classes that training must not see, or a shipped split ('voc20').
        in_channels: channels of each feature map; the joint width d of the CLIP if left out.
        use_stages: feature maps that are projected, normalised and summed at the first one's size;
            the backbone gives as many (`out_indices`). The release has a decoder for each; here the
            one decoder sees the sum. The paper uses 1.
        num_layers, num_heads, dropout: of the decoder.
        query: query format, terms of `QUERY_TERMS` joined by commas; the paper's is 't*g,t'.
        scores: 'sigmoid', each class by itself; or 'softmax' over all classes, seen and unseen, for
            a model trained with an exclusive loss (section 3.2). The largest logit wins either way;
            the choice matters to the mean over windows and to `seen_offset`.
        seen_offset: subtracted from the seen classes' scores at test, 0.1 in the paper's release.
        loss_decode: any losses with mmseg's arguments; Eq. 6 by default. Softmax cross-entropy over
            the seen classes (table 5 without NEL) is mmseg's CrossEntropyLoss.

    Raises:
        ValueError: unknown class names or query terms; "ground-truth leak" when a training label
            is an unseen class.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        text: dict,
        unseen: str | Sequence[str] | None = None,
        in_channels: int | None = None,
        use_stages: int = 1,
        num_layers: int = 3,
        num_heads: int = 8,
        dropout: float = 0.1,
        query: str | Sequence[str] = 't*g,t',
        scores: str = 'sigmoid',
        seen_offset: float = 0.1,
        loss_decode: dict | Sequence[dict] | None = None,
        **kwargs,
    ) -> None:
        check_not_given(kwargs, 'num_classes', 'channels')
        terms = query_terms(query)
        if scores not in SCORES:
            raise ValueError(
                f"scores is {scores!r}; legal values: {', '.join(SCORES)}. 'softmax' "
                'goes with an exclusive loss (CrossEntropyLoss).'
            )
        vocabulary = Vocabulary(classes, **text, unseen=unseen)
        dim = vocabulary.one_text()
        kwargs['ignore_index'] = legal_ignore(len(vocabulary.classes), kwargs.get('ignore_index'))
        super().__init__(
            in_channels=in_channels or dim,
            channels=dim,
            num_classes=len(vocabulary.classes),
            init_cfg=None,
            loss_decode=loss_decode or dict(type='mmseg_zsclip.MaskLoss'),
            **kwargs,
        )
        del self.conv_seg, self.dropout
        self.query = terms
        self.score = SCORES[scores]
        self.seen_offset = seen_offset
        self.class_embeddings = vocabulary
        self.use_stages = use_stages
        joint = use_stages == 1 and self.in_channels == dim
        self.input_projs = nn.ModuleList(
            nn.Identity()
            if joint
            else nn.Sequential(nn.Linear(self.in_channels, dim), nn.LayerNorm(dim))
            for _ in range(use_stages)
        )
        self.query_proj = nn.Linear(len(terms) * dim, dim)
        self.layers = nn.ModuleList(
            DecoderLayer(dim, num_heads, dropout) for _ in range(num_layers - 1)
        )
        self.mask_attn = CrossAttention(dim, num_heads, dropout, masks_only=True)

    def init_weights(self) -> None:
        super().init_weights()
        for part in (self.input_projs, self.query_proj, self.layers, self.mask_attn):
            for module in part.modules():
                if isinstance(module, nn.Linear):
                    nn.init.trunc_normal_(module.weight, std=0.02)
                    nn.init.zeros_(module.bias)

    def split_inputs(self, inputs: Sequence[Tensor]) -> tuple[list[Tensor], Tensor | None]:
        """The feature maps (B, D, h, w) used, and the image embedding (B, d) when there is one."""
        *maps, last = inputs
        if last.dim() > 2:
            maps, last = list(inputs), None
        if last is None and self.query != ['t']:
            raise ValueError(
                f'query is {",".join(self.query)!r}, which needs the image embedding, but the '
                f'backbone gave {len(inputs)} feature maps only. Use DeepPromptedViT as backbone, '
                "or query='t'."
            )
        if len(maps) < self.use_stages:
            raise ValueError(
                f'use_stages is {self.use_stages}, but the backbone gives {len(maps)} '
                'feature maps. Choose as many of its blocks by `out_indices`.'
            )
        if self.use_stages == 1:
            return [self._transform_inputs(maps)], last
        return maps[-self.use_stages :], last

    def check_widths(self, maps: Sequence[Tensor], cls: Tensor | None, text: Tensor) -> None:
        if cls is not None:
            check_one_clip(cls.shape[1], text.shape[1])
        for one in maps:
            if one.shape[1] != self.in_channels:
                if self.in_channels == text.shape[1]:
                    check_one_clip(one.shape[1], text.shape[1])
                raise ValueError(
                    f'feature maps have {one.shape[1]} channels, but in_channels of the '
                    f'head is {self.in_channels}. Give in_channels={one.shape[1]}.'
                )

    def patch_embeddings(self, maps: Sequence[Tensor]) -> Tensor:
        """Feature maps (B, D, h, w) of the stages -> (B, h * w, d) of the first one's grid,
        L2-normalised."""
        total = 0
        for stage, proj in zip(maps, self.input_projs, strict=True):
            if stage.shape[2:] != maps[0].shape[2:]:
                stage = resize(stage, size=maps[0].shape[2:], mode='bilinear', align_corners=False)
            total = total + proj(stage.flatten(2).transpose(1, 2))
        return F.normalize(total, dim=-1)

    def forward(self, inputs: Sequence[Tensor], rows: Sequence[int] | None = None) -> Tensor:
        """Mask logits (B, C, h, w) of all classes, or of the chosen `rows` of the vocabulary;
        float32 under autocast too, so that losses and scores are."""
        maps, cls = self.split_inputs(inputs)
        text = self.class_embeddings()
        self.check_widths(maps, cls, text)
        patches = self.patch_embeddings(maps)
        if rows is not None:
            text = text[rows]
        if cls is None:
            cls = torch.zeros_like(patches[:, 0], dtype=text.dtype)  # any batch, exported too
        queries = self.query_proj(class_queries(text, F.normalize(cls, dim=-1), self.query))
        for layer in self.layers:
            queries = layer(queries, patches)
        masks = self.mask_attn.masks(queries, patches)
        return masks.unflatten(2, maps[0].shape[-2:]).float()

    def loss(self, inputs: Sequence[Tensor], batch_data_samples: list, train_cfg: dict) -> dict:
        return self.loss_by_feat(self.forward(inputs, rows=self.seen), batch_data_samples)

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict:
        """Losses by name; as mmseg's, but a loss of several `terms` logs each of them.

        Args:
            seg_logits: (B, S, h, w) of the seen classes; or (B, C, h, w) of all, for labels that
                `SelfTrainedSegmentor` has checked and completed.
            batch_data_samples: labels are indices into the whole vocabulary.
        """
        labels = self._stack_batch_gt(batch_data_samples)
        if seg_logits.shape[1] == len(self.seen):
            labels = self.seen_labels(labels)
        modules = self.loss_decode
        modules = list(modules) if isinstance(modules, nn.ModuleList) else [modules]
        terms, labels = {}, labels.squeeze(1)
        if self.align_corners or self.sampler or not all(hasattr(m, 'terms') for m in modules):
            seg_logits = resize(
                seg_logits, size=labels.shape[1:], mode='bilinear', align_corners=self.align_corners
            )
            terms['acc_seg'] = accuracy(seg_logits, labels, ignore_index=self.ignore_index)
        weight = self.sampler.sample(seg_logits, labels[:, None]) if self.sampler else None
        for module in modules:
            value = getattr(module, 'terms', module)(
                seg_logits, labels, weight=weight, ignore_index=self.ignore_index
            )
            value = value if isinstance(value, dict) else {module.loss_name: value}
            for name, term in value.items():
                terms[name] = terms.get(name, 0) + term if 'loss' in name else term
        return terms

    def seen_labels(self, labels: Tensor) -> Tensor:
        """Class indices -> rows of the seen classes; unlabelled pixels are ignored.

        Raises:
            ValueError: a label that is no class, or of an unseen class ("ground-truth leak").
        """
        words = self.vocabulary
        check_labels(labels, words.classes, words.unseen, self.ignore_index, 'inductive')
        known = (labels != UNLABELLED) & (labels != self.ignore_index)
        return words.seen_row[labels.where(known, 0)].where(known, self.ignore_index)

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Scores (B, C, H, W), less `seen_offset` for the seen classes."""
        return self.finish(super().predict_by_feat(seg_logits, batch_img_metas))

    def finish(self, logits: Tensor) -> Tensor:
        """Resized mask logits (B, C, H, W) -> scores, each pixel by itself."""
        scores = self.score(logits)
        if self.unseen and self.seen_offset:
            scores[:, self.seen] -= self.seen_offset
        return scores

    @staticmethod
    def probabilities(scores: Tensor) -> Tensor:
        """Scores -> [0, 1], each class by itself: the offset can make them negative."""
        return scores.clamp(0, 1)


def unbuilt_parameters(head: ZegCLIPHead) -> int:
    """Parameters that the released decoder declares but that no output depends on.

    Per layer a self-attention and its norm; in the last layer also values, output projection,
    feed-forward network and two norms. Table 3 of the paper counts them.
    """
    d = head.mask_attn.q.in_features
    self_attention = 4 * (d * d + d) + 2 * d
    last = 2 * (d * d + d) + (d * 4 * d + 4 * d) + (4 * d * d + d) + 2 * 2 * d
    return (len(head.layers) + 1) * self_attention + last


__all__ = ['DeepPromptedViT', 'ZegCLIPHead', 'class_queries', 'unbuilt_parameters']
