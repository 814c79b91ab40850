"""Mask2Former's head with the losses of MaskFormer, as FreeSeg trains it. Imports mmdet."""

from mmdet.models import Mask2FormerHead, MaskFormerHead

from ..registry import MODELS


@MODELS.register_module()
class WholeMaskHead(Mask2FormerHead):
    """Every pixel of a mask counts in loss and matching, where Mask2Former samples points.

    Masks are compared at the targets' size; matched at their own, with targets resized to it.
    `loss_mask` and its matching cost are focal ones, see mmdet's `MaskFormerHead`.
    """

    _get_targets_single = MaskFormerHead._get_targets_single
    _loss_by_feat_single = MaskFormerHead._loss_by_feat_single
