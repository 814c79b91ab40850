"""Losses: plain functions, and thin registered classes with mmseg's signature."""

from .fast_mask_losses import fast_mask_losses
from .mask_aware import (
    MaskAwareLoss,
    SelfDistillationLoss,
    mask_aware_loss,
    self_distillation_loss,
)
from .mask_labels import MaskClassificationLoss
from .mask_losses import MaskLoss, mask_losses
from .mask_text import MaskTextLoss, contrastive_terms, mask_text_similarity

__all__ = [
    'MaskAwareLoss',
    'MaskClassificationLoss',
    'MaskLoss',
    'MaskTextLoss',
    'SelfDistillationLoss',
    'contrastive_terms',
    'fast_mask_losses',
    'mask_aware_loss',
    'mask_losses',
    'mask_text_similarity',
    'self_distillation_loss',
]
