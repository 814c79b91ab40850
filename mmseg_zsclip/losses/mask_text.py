"""Which text a mask is of: the contrastive loss of MTA-CLIP (section 3.2).

Plain functions first. Nothing is computed in half precision.
"""

import math

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn

from ..registry import MODELS

SIMILARITIES = ('cosine', 'dot')
NEGATIVES = ('mix', 'separate')
NORMALISERS = ('queries', 'matched')


def check_choice(name: str, value: str, legal: tuple[str, ...]) -> str:
    if value not in legal:
        raise ValueError(f'{name} is {value!r}; legal values: {", ".join(legal)}.')
    return value


def mask_text_similarity(masks: Tensor, text: Tensor, tau: float | Tensor, kind: str) -> Tensor:
    """S of every mask with every text: (B, N, d), (B, C, K, d) -> (B, N, C, K).

    `kind` is 'dot' as Eq. 6 prints it, or 'cosine': dots of vectors of free length, over a small
    tau, saturate.
    """
    if kind == 'cosine':
        masks, text = F.normalize(masks, dim=-1), F.normalize(text, dim=-1)
    return torch.einsum('bnd,bckd->bnck', masks, text) / tau  # Eq. 6


def contrastive_terms(similarity: Tensor, labels: Tensor, negatives: str = 'mix') -> Tensor:
    """-log of the share of each mask's positive: the text of its class, in the context that fits
    the mask best.

    Args:
        similarity: (B, N, C, K).
        labels: (B, N) int64, the class of each mask; of a negative one nothing is asked.
        negatives: 'mix', every other text (Eq. 8), or 'separate', those of other classes (Eq. 9,
            which prints r != i for r != j). With K = 1 both are Eq. 7.

    Returns:
        (B, N), 0 where the label is negative.
    """
    contexts, matched = similarity.shape[3], labels.clamp(min=0)[..., None]
    own = similarity.gather(2, matched[..., None].expand(-1, -1, 1, contexts))[:, :, 0]
    best = matched * contexts + own.argmax(dim=2, keepdim=True)
    rows = similarity.flatten(2)
    positive = rows.gather(2, best)
    if negatives == 'separate':
        others = torch.arange(rows.shape[2], device=rows.device)
        own_too = (others // contexts == matched) & (others != best)
        rows = rows.masked_fill(own_too, -torch.inf)
    return (rows.logsumexp(dim=2) - positive[..., 0]) * (labels >= 0)


@MODELS.register_module()
class MaskTextLoss(nn.Module):
    """L_sim. The paper leaves tau, the length of the vectors and what N counts open.

    Args:
        tau: temperature; 0.07 is DenseCLIP's, from whose settings the paper starts.
        learned_tau: its logarithm trains.
        similarity: of `SIMILARITIES`.
        negatives: of `NEGATIVES`, see `contrastive_terms`; the paper's best is 'mix'.
        normaliser: 'queries' divides by N, the number of mask queries, as printed; 'matched' by
            that of those that have a class, which weighs about twelve times as much.
        loss_weight: lambda_3 of Eq. 10.

    Raises:
        ValueError: tau that is not above 0, an unknown name.
    """

    def __init__(
        self,
        tau: float = 0.07,
        learned_tau: bool = False,
        similarity: str = 'cosine',
        negatives: str = 'mix',
        normaliser: str = 'queries',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not tau > 0:
            raise ValueError(f'tau is {tau}; a temperature is above 0, 0.07 by default.')
        self.fixed_tau = tau
        self.log_tau = nn.Parameter(torch.tensor(math.log(tau))) if learned_tau else None
        self.similarity = check_choice('similarity', similarity, SIMILARITIES)
        self.negatives = check_choice('negatives', negatives, NEGATIVES)
        self.normaliser = check_choice('normaliser', normaliser, NORMALISERS)
        self.loss_weight = loss_weight

    @property
    def tau(self) -> float | Tensor:
        return self.fixed_tau if self.log_tau is None else self.log_tau.exp()

    def forward(self, masks: Tensor, text: Tensor, labels: Tensor) -> Tensor:
        """m' (B, N, d), t' (B, C, K, d), labels (B, N), negative where no true mask was matched."""
        precise = torch.promote_types(masks.dtype, torch.float32)
        with torch.autocast(masks.device.type, enabled=False):
            scores = mask_text_similarity(
                masks.to(precise), text.to(precise), self.tau, self.similarity
            )
            terms = contrastive_terms(scores, labels, self.negatives)
        return self.loss_weight * terms.sum() / self.count(labels)

    def count(self, labels: Tensor) -> int | Tensor:
        """What the terms are divided by; of matched masks the mean over all processes."""
        if self.normaliser == 'queries':
            return labels.numel()
        matched = (labels >= 0).sum().float()
        all_reduce(matched, op='mean')
        return matched.clamp(min=1)
