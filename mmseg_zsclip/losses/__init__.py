"""Losses: plain functions, and thin registered classes with mmseg's signature."""
from .mask_losses import MaskDiceLoss, MaskFocalLoss, dice_loss, sigmoid_focal_loss

__all__ = ['MaskDiceLoss', 'MaskFocalLoss', 'dice_loss', 'sigmoid_focal_loss']
