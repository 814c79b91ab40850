"""What flows from a proposal generator to a mask classifier and on to the fusion:
masks and scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .score_rows import kept_part


@dataclass(frozen=True)
class Proposals:
    """The mask proposals of one image; P is free, 0 too.

    Args:
        masks: (P, H, W) probabilities in [0, 1], of the image as the model gets it,
            padding and all.
        object_scores: (P,) in [0, 1], how much each is an object of whatever class. Ones where the
            generator says nothing of it.
        class_scores: (P, C) in [0, 1], A_p of MAFT, of the classes of the vocabulary; None where
            the generator knows no class.

    Raises:
        ValueError: parts of different P.
        TypeError: masks of no floating-point type.
    """

    masks: Tensor
    object_scores: Tensor
    class_scores: Tensor | None = None

    def __post_init__(self) -> None:
        if self.masks.dim() != 3:
            raise ValueError(
                f'masks of proposals are {tuple(self.masks.shape)}; expected (P, H, W).'
            )
        if not self.masks.is_floating_point():
            raise TypeError(
                f'masks of proposals are {self.masks.dtype}; expected floating point. Make them '
                'with Proposals.of_masks.'
            )
        count = len(self.masks)
        if self.object_scores.shape != (count,):
            raise ValueError(
                f'object_scores are {tuple(self.object_scores.shape)} for {count} '
                f'masks; expected ({count},).'
            )
        scores = self.class_scores
        if scores is not None and (scores.dim() != 2 or len(scores) != count):
            raise ValueError(
                f'class_scores are {tuple(scores.shape)} for {count} masks; expected ({count}, C).'
            )

    def __len__(self) -> int:
        return len(self.masks)

    @classmethod
    def of_masks(cls, masks: Tensor) -> 'Proposals':
        """Proposals (P, H, W), bool too, that are all as much an object."""
        masks = masks if masks.is_floating_point() else masks.float()
        return cls(masks, masks.new_ones(len(masks)))


def check_proposals(
    proposals: Sequence[Proposals], images: Tensor, classes: int | None = None
) -> None:
    """That proposals are those of images (B, 3, H, W) and of a vocabulary.

    Raises:
        ValueError: another number of images, masks of another size, scores of other classes, or
            masks or scores with values outside [0, 1].
    """
    if len(proposals) != len(images):
        raise ValueError(
            f'{len(proposals)} images have proposals, but the batch has {len(images)}.'
        )
    size = tuple(images.shape[-2:])
    for i, one in enumerate(proposals):
        if tuple(one.masks.shape[1:]) != size:
            raise ValueError(
                f'masks of image {i} are {" x ".join(map(str, one.masks.shape[1:]))} pixels, but '
                f'the model gets it with {size[0]} x {size[1]}, padding included. Resize the masks.'
            )
        for name in ('masks', 'object_scores', 'class_scores'):
            values = getattr(one, name)
            if values is None or not values.numel() or (values.min() >= 0 and values.max() <= 1):
                continue
            raise ValueError(
                f'{name} of image {i} range from {values.min():.3g} to {values.max():.3g}; '
                'legal: probabilities from 0 to 1. Apply a sigmoid or softmax to logits.'
            )
        scores = one.class_scores
        if classes is not None and scores is not None and scores.shape[1] != classes:
            raise ValueError(
                f'the generator scores {scores.shape[1]} classes, the vocabulary has {classes}. '
                'Give generator and segmentor one vocabulary.'
            )


def mmdet_shapes(meta: Mapping, size: tuple[int, int]) -> dict:
    """What mmdet's models read of a sample: (h, w) of a batch, `size`, and of its image without the
    padding, which is right and below. `meta` is the sample's, as mmseg's."""
    rows, columns, _ = kept_part(meta, size)
    return dict(batch_input_shape=size, img_shape=(rows.stop, columns.stop))


def padded(masks: Sequence[Tensor], least: int = 0) -> Tensor:
    """What proposals of each image cover, (P_i, ...) -> (B, max P_i, ...), `least` of them or more;
    nothing in the place of the missing."""
    count = max(least, *map(len, masks))
    return torch.stack(
        [torch.cat([one, one.new_zeros(count - len(one), *one.shape[1:])]) for one in masks]
    )


__all__ = ['Proposals', 'check_proposals', 'mmdet_shapes', 'padded']
