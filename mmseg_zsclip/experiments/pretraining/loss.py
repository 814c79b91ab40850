"""Losses of pre-training, plain functions of logits and truth."""

import torch
import torch.nn.functional as F
from torch import Tensor


def one_way_nce(logits: Tensor, target: Tensor) -> Tensor:
    """InfoNCE of each row with several positives, each against the row's negatives alone.

    For a positive p of a row with negatives N: -log(e^p / (e^p + sum_N e^n)); mean over the row's
    positives, then over the rows that have any. With one positive a row and no doubtful pair it is
    CLIP's cross-entropy.

    Args:
        logits: (R, K).
        target: (R, K), 1 positive, 0 negative, -1 left out.
    """
    logits = logits.float()
    negatives = torch.logsumexp(logits.masked_fill(target != 0, float('-inf')), dim=1, keepdim=True)
    positive = target == 1
    each = F.softplus(negatives - logits).masked_fill(~positive, 0.0)
    count = positive.sum(1)
    rows = each.sum(1) / count.clamp(min=1)
    return rows.sum() / (count > 0).sum().clamp(min=1)


def contrastive_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean of `one_way_nce` from images to captions and back. `logits`, `target`: (B, K)."""
    return (one_way_nce(logits, target) + one_way_nce(logits.T, target.T)) / 2


def patch_tag_loss(logits: Tensor, tags: Tensor, top: int) -> Tensor:
    """Multiple-instance loss on patches, from image-level tags alone.

    q = softmax over classes and a last "none of them" entry, at each patch. A shown class must have
    `top` patches that say so (-log of their mean q); an absent one none (-log(1 - max q)).

    Args:
        logits: (B, N, C + 1).
        tags: (B, C), 1 shown, 0 absent, -1 left out.
        top: patches averaged, at most N.
    """
    q = logits.float().softmax(dim=-1)[..., :-1]
    best = q.topk(min(top, q.shape[1]), dim=1).values
    shown, absent = tags == 1, tags == 0
    hit = -best.mean(1).clamp(min=1e-6).log()
    miss = -(1 - best[:, 0]).clamp(min=1e-6).log()
    mean_hit = (hit * shown).sum() / shown.sum().clamp(min=1)
    mean_miss = (miss * absent).sum() / absent.sum().clamp(min=1)
    return mean_hit + mean_miss
