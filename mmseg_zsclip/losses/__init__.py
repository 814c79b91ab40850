"""Losses: plain functions, and thin registered classes with mmseg's signature."""
from .fast_mask_losses import fast_mask_losses
from .mask_losses import MaskLoss, mask_losses

__all__ = ['MaskLoss', 'fast_mask_losses', 'mask_losses']
