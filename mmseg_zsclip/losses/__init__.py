"""Losses: plain functions, and thin registered classes with mmseg's signature."""
from .mask_losses import MaskLoss, mask_losses

__all__ = ['MaskLoss', 'mask_losses']
