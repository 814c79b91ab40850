"""ZegCLIP as its release runs it: the opponent of `tools/analysis_tools/benchmark.py`.

The same weights and outputs as `mmseg_zsclip.models.zegclip`, computed plainly: torch's multi-head
modules over (N, B, D), prompts as whole tokens of every block, one product a head in the decoder,
whose last layer computes what nobody reads, and losses over one-hot masks, a loop over classes.
Sources: ZegCLIP, Eq. 1 to 6; the release for what is computed, in which order.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_zsclip.models.deep_prompts import DeepPromptedViT
from mmseg_zsclip.models.zegclip import (
    CrossAttention,
    DecoderLayer,
    ZegCLIPHead,
    accuracy,
    class_queries,
)


class EagerBlock(nn.Module):
    """A block of CLIP over (N, B, D), its attention torch's own module."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        ours = block.attn
        self.attn = nn.MultiheadAttention(ours.out_proj.in_features, ours.heads)
        self.attn.load_state_dict(ours.state_dict())
        self.attn.requires_grad_(ours.in_proj_weight.requires_grad)
        self.ln_1, self.ln_2, self.mlp = block.ln_1, block.ln_2, block.mlp

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class EagerViT(DeepPromptedViT):
    """`DeepPromptedViT` with prompts in every block, which are tokens there (Eq. 3)."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for i, block in enumerate(self.visual.blocks):
            self.visual.blocks[i] = EagerBlock(block)

    def encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        images, count = x.shape[:2]
        x = x.transpose(0, 1)
        for block, prompts in zip(self.visual.blocks, self.prompts, strict=True):
            own = self.prompt_dropout(self.prompt_proj(prompts).expand(images, -1, -1))
            x = block(torch.cat([x[:1], own.transpose(0, 1), x[1 - count :]]))
        x = self.prompt_norm(x).transpose(0, 1)
        return torch.cat([x[:, :1], x[:, 1 - count :]], dim=1), []


class EagerCrossAttention(CrossAttention):
    def forward(self, queries: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, d), (B, N, d) -> (B, C, d) and the masks (B, C, N)."""
        q, k, v = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (self.q(queries), self.k(patches), self.v(patches))
        )
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5  # Eq. 2
        masks = scores.clone()
        out = F.dropout(scores.softmax(dim=-1), self.dropout, self.training) @ v  # Eq. 1
        return self.proj(out.transpose(1, 2).flatten(2)), masks.sum(1) / self.heads


class EagerLayer(DecoderLayer):
    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__(dim, heads, dropout)
        self.attn = EagerCrossAttention(dim, heads, dropout)

    def forward(self, queries: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        out, masks = self.attn(queries, patches)
        queries = self.norm1(queries + self.dropout(out))
        return self.norm2(queries + self.dropout(self.ffn(queries))), masks


class EagerHead(ZegCLIPHead):
    """`ZegCLIPHead` of one stage; its last layer is as whole as the others."""

    def __init__(self, *args, num_heads: int = 8, dropout: float = 0.1, **kwargs) -> None:
        super().__init__(*args, num_heads=num_heads, dropout=dropout, **kwargs)
        del self.mask_attn
        dim = self.query_proj.out_features
        self.layers = nn.ModuleList(
            EagerLayer(dim, num_heads, dropout) for _ in range(len(self.layers) + 1)
        )

    def forward(self, inputs: list[Tensor], rows: list[int] | None = None) -> Tensor:
        maps, cls = self.split_inputs(inputs)
        patches = self.patch_embeddings(maps)
        text = self.class_embeddings()
        queries = self.query_proj(
            class_queries(text if rows is None else text[rows], cls, self.query)
        )
        for layer in self.layers:
            queries, masks = layer(queries, patches)
        return masks.unflatten(2, maps[0].shape[-2:])

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict:
        labels = self.seen_labels(self._stack_batch_gt(batch_data_samples))
        logits = F.interpolate(seg_logits, size=labels.shape[2:], mode='bilinear')
        labels = labels.squeeze(1)
        return dict(
            acc_seg=accuracy(logits, labels, ignore_index=self.ignore_index),
            **eager_losses(logits, labels, self.ignore_index),
        )


def eager_losses(logits: Tensor, labels: Tensor, ignore_index: int = 255) -> dict[str, Tensor]:
    """Focal and dice loss (Eq. 4 to 6) as released: (B, C, H, W), (B, H, W) -> scalars.

    They are those of `MaskLoss(squared=False, smooth=1, count_ignored_as_negative=True)`.
    """
    # The release resizes to the labels' size twice: here to the size that they have.
    logits = F.interpolate(logits, size=labels.shape[1:], mode='bilinear')
    target, own, masks = torch.zeros_like(logits), [], []
    for image, label in enumerate(labels):
        for c in label[label != ignore_index].unique().tolist():
            own.append((image, c))
            masks.append(label == c)
            target[image, c] = masks[-1].to(target)
    count = max(len(masks), 1)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    p = logits.sigmoid()
    right = p * target + (1 - p) * (1 - target)
    loss = (0.25 * target + 0.75 * (1 - target)) * loss * (1 - right) ** 2
    images, classes = zip(*own, strict=True)
    p = logits[list(images), list(classes)].sigmoid().flatten(1)
    mask = torch.stack(masks).flatten(1).to(p)
    dice = 1 - (2 * (p * mask).sum(1) + 1) / (p.sum(1) + mask.sum(1) + 1)
    return dict(loss_focal=100 * loss.mean((2, 3)).sum() / count, loss_dice=dice.sum() / count)
