"""From what generator and classifier say of each proposal to scores of classes at every pixel."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..masks import mask_iou
from ..registry import MODELS
from .mask_ops import THRESHOLD
from .proposals import Proposals

STRIP = 2**22  # scores at a time, at least one row of them


def ensemble(clip_scores: Tensor, generator_scores: Tensor, exponents: Tensor) -> Tensor:
    """A_p^(1 - w) A_c^w of every proposal and class (Eq. 9).

    Args:
        clip_scores, generator_scores: A_c and A_p, (P, C) in [0, 1].
        exponents: (C,), the w of each class.

    Returns:
        (P, C).
    """
    return generator_scores ** (1 - exponents) * clip_scores**exponents  # Eq. 9


@MODELS.register_module()
class Ensemble:
    """Generator and CLIP together, by a geometric mean (MAFT, Eq. 9).

    The paper's lambda is `seen=1 - lambda, unseen=lambda`, 0.6 to 0.8; FC-CLIP's are (0.4, 0.8),
    MaskCLIP++'s (0.6 or 0.9, 1.0). Both 1, the default, is CLIP alone, "without ensemble".

    A proposal that covers no pixel has CLIP scores of 1: the generator alone decides, as released.

    Args:
        seen, unseen: exponents of CLIP's score in the two kinds of classes; the generator's has 1
            less them.
        object_score: multiply with the generator's score of an object of whatever class.

    Raises:
        ValueError: an exponent outside [0, 1].
    """

    seen_offset = 0.0

    def __init__(self, seen: float = 1.0, unseen: float = 1.0, object_score: bool = True) -> None:
        for name, value in (('seen', seen), ('unseen', unseen)):
            if not (isinstance(value, (int, float)) and 0 <= value <= 1):
                raise ValueError(
                    f"exponent {name} of CLIP's score is {value!r}; legal values: 0 (the generator "
                    "alone) to 1 (CLIP alone). The paper's lambda of 0.7 is seen=0.3, unseen=0.7."
                )
        self.seen = seen
        self.unseen = unseen
        self.object_score = object_score

    def __call__(
        self,
        clip_scores: Tensor,
        proposals: Proposals,
        unseen: Sequence[int],
        kept: tuple[slice, slice] = (slice(None), slice(None)),
    ) -> Tensor:
        """Scores of classes for each proposal.

        Args:
            clip_scores: (P, C) in [0, 1].
            unseen: indices of the unseen classes.
            kept: rows and columns of the image that are no padding.

        Returns:
            (P, C).

        Raises:
            ValueError: exponents below 1, and a generator that scores no class.
        """
        if self.seen < 1 or self.unseen < 1:
            if proposals.class_scores is None:
                raise ValueError(
                    f'the ensemble has exponents {self.seen} and {self.unseen}, but the generator '
                    'gives no scores of classes. Use seen=1, unseen=1, or a generator with a text '
                    'classifier.'
                )
            exponents = clip_scores.new_full(clip_scores.shape[1:], self.seen)
            exponents[list(unseen)] = self.unseen
            rows, columns = kept
            valid = (proposals.masks[:, rows, columns] > THRESHOLD).flatten(1).any(dim=1)
            clip_scores = ensemble(
                clip_scores.where(valid[:, None], torch.ones_like(clip_scores)),
                proposals.class_scores,
                exponents,
            )
        return clip_scores * proposals.object_scores[:, None] if self.object_score else clip_scores


@MODELS.register_module()
class ZegFormerEnsemble(Ensemble):
    """ZegFormer's (Ding et al., CVPR 2022): of seen classes, CLIP's score is the mean of them all.

    So CLIP says how likely a proposal is of any seen class, and the generator which. Differs from
    the released code: there the softmax of CLIP's scores has a column more, the generator's logit
    of no object, which is then dropped.

    Args:
        weight: lambda, exponent of CLIP's score in unseen classes and of the generator's in seen
            ones.
        seen_offset: what the scores of seen classes lose at every pixel, in the segmentor.

    Raises:
        ValueError: a `weight` outside [0, 1], or an offset that is not finite.
    """

    def __init__(self, weight: float = 2 / 3, seen_offset: float = 0.1) -> None:
        if not (isinstance(weight, (int, float)) and 0 <= weight <= 1):
            raise ValueError(
                f'weight is {weight!r}; legal values: 0 (the generator alone in unseen classes) to '
                '1 (CLIP alone there).'
            )
        if not (isinstance(seen_offset, (int, float)) and math.isfinite(seen_offset)):
            raise ValueError(f'seen_offset is {seen_offset!r}; legal: a finite number, 0 is none.')
        super().__init__(seen=1 - weight, unseen=weight)
        self.seen_offset = seen_offset

    def __call__(
        self, clip_scores: Tensor, proposals: Proposals, unseen: Sequence[int], *args
    ) -> Tensor:
        """See `Ensemble`."""
        seen = sorted({*range(clip_scores.shape[1])} - {*unseen})
        if seen:
            clip_scores = clip_scores.clone()
            clip_scores[:, seen] = clip_scores[:, seen].mean(dim=1, keepdim=True)
        return super().__call__(clip_scores, proposals, unseen, *args)


def upper_bound(masks: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The IoU of each proposal with each class in place of its scores (appendix C.1).

    Args:
        masks: (P, H, W).
        labels: (H, W) of the truth; values that are no class count as outside of all.

    Returns:
        (P, C).
    """
    there = labels.unique()
    there = there[(there >= 0) & (there < classes)]
    scores = masks.new_zeros(len(masks), classes)
    scores[:, there] = mask_iou(masks, labels[None] == there[:, None, None]).T
    return scores


def semantic_scores(scores: Tensor, masks: Tensor, offsets: Tensor | None = None) -> Tensor:
    """sum_p score[p, c] mask[p], less the offset of each class: (P, C), (P, H, W) and (C,)
    -> (C, H, W).

    Resizing the masks before and resizing the result are the same: both are linear.
    """
    out = (scores.T @ masks.flatten(1)).unflatten(1, masks.shape[1:])
    return out if offsets is None else out - offsets[:, None, None]


def semantic_labels(
    scores: Tensor, masks: Tensor, nothing: int, offsets: Tensor | None = None
) -> Tensor:
    """The best class of every pixel, without the scores of all classes at all pixels.

    Args:
        scores: (P, C).
        masks: (P, H, W).
        nothing: the label where there is no proposal at all.
        offsets: see `semantic_scores`.

    Returns:
        (H, W) int64.
    """
    if not len(masks):
        return torch.full(masks.shape[1:], nothing, device=masks.device)
    count = max(STRIP // (scores.shape[1] * masks.shape[2]), 1)
    return torch.cat(
        [semantic_scores(scores, part, offsets).argmax(dim=0) for part in masks.split(count, dim=1)]
    )


@MODELS.register_module()
class UpperBound:
    """`upper_bound` in the place of every score: what the proposals allow."""

    needs_labels = True

    def __call__(self, masks: Tensor, labels: Tensor, classes: int) -> Tensor:
        """Masks (P, h, w) and labels (h, w) of the photo -> (P, C)."""
        return upper_bound(masks, labels, classes)
