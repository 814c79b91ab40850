"""Masks on other grids, as boxes, as sub-images and as weights of a mean. Pure functions.

Masks are (P, H, W) or (B, P, H, W), probabilities in [0, 1]; a pixel belongs to a mask where it is
more than `THRESHOLD`.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from .score_rows import kept_part

THRESHOLD = 0.5
AT_ONCE = 8  # masks of whole images between which and their patches memory is taken
SUB_IMAGES = ('mask', 'crop', 'mask+crop')  # the merge operations of MAFT, appendix A


def resize_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """(..., P, H, W) -> (..., P, h, w), bilinear."""
    if tuple(masks.shape[-2:]) == tuple(size):
        return masks
    if not masks.numel():  # of no proposal, which interpolate refuses
        return masks.new_zeros(*masks.shape[:-2], *size)
    # one channel each: on a CPU many channels of one image take thirty times as long
    flat = masks.reshape(-1, 1, *masks.shape[-2:])
    out = F.interpolate(flat, size=tuple(size), mode='bilinear', align_corners=False)
    return out.reshape(*masks.shape[:-2], *size)


def mask_logits(masks: Tensor) -> Tensor:
    """Probabilities -> finite logits, float32."""
    return torch.logit(masks.float(), eps=1e-7)


def photo_masks(masks: Tensor, meta: Mapping, as_logits: bool = False) -> Tensor:
    """Masks (P, H, W) of the image as the model gets it -> (P, h, w) of the photo, without padding,
    as it stands. `meta` is a sample's, as mmseg's; `as_logits` resizes logits, which are
    probabilities again in what comes out."""
    rows, columns, flip = kept_part(meta, masks.shape[1:])
    masks = masks[:, rows, columns]
    masks = masks.flip(flip) if flip else masks
    size = tuple(meta['ori_shape'][:2])
    if as_logits:
        return resize_masks(mask_logits(masks), size).sigmoid()
    return resize_masks(masks, size)


def input_masks(masks: Tensor, meta: Mapping, size: tuple[int, int]) -> Tensor:
    """Masks (P, h, w) of the photo -> (P, H, W) of the image as the model gets it; 0 in the
    padding. The way back from `photo_masks`."""
    rows, columns, flip = kept_part(meta, size)
    masks = resize_masks(masks, (rows.stop - rows.start, columns.stop - columns.start))
    out = masks.new_zeros(len(masks), *size)
    out[:, rows, columns] = masks.flip(flip) if flip else masks
    return out


def visible_patches(masks: Tensor, grid: tuple[int, int]) -> Tensor:
    """The patches that a proposal covers (MAFT, Eq. 2): (P, H, W) -> (P, h * w) bool."""
    return (resize_masks(masks, grid) >= THRESHOLD).flatten(-2)


def touched_patches(masks: Tensor, size: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """The patches that a mask touches (MasQCLIP, Eq. 3), where a pixel of an image of `size` has a
    logit above 0: (..., P, H, W) -> (..., P, h * w) bool."""
    touched = [
        F.adaptive_max_pool2d(resize_masks(mask_logits(part), size), grid) > 0
        for part in masks.flatten(0, -3).split(AT_ONCE)
    ]
    return torch.cat(touched).reshape(*masks.shape[:-2], grid[0] * grid[1])


def mask_boxes(masks: Tensor) -> Tensor:
    """The boxes around masks: (P, H, W) -> (P, 4) int64, x0, y0, x1, y1 in pixels, the last two
    exclusive; zeros for an empty mask."""
    inside = masks > THRESHOLD
    ends = []
    for dim in (1, 2):  # columns, then rows
        used = inside.any(dim=dim)
        place = torch.arange(used.shape[1], device=masks.device).expand_as(used)
        first = place.masked_fill(~used, used.shape[1]).amin(dim=1)
        last = (place + 1).masked_fill(~used, 0).amax(dim=1)
        ends.append((first.minimum(last), last))
    (x0, x1), (y0, y1) = ends
    return torch.stack([x0, y0, x1, y1], dim=1)


def sub_images(
    image: Tensor,
    masks: Tensor,
    size: int = 224,
    mode: str = 'mask+crop',
    fill: Tensor | float = 0.0,
) -> tuple[Tensor, Tensor]:
    """A picture of each proposal that covers a pixel (MAFT, appendix A).

    Normalising and resizing commute, so that an image which is normalised already gives what
    FreeSeg makes of pixels in [0, 255].

    Args:
        image: (3, H, W), normalised.
        masks: (P, H, W).
        size: pixels on a side of what comes out, the aspect is not kept.
        mode: 'mask' fills what is outside the mask, 'crop' cuts out its box, 'mask+crop' both.
        fill: the normalised colour of what is outside, (3,); 0 is the mean colour.

    Returns:
        pictures (V, 3, size, size) of the valid proposals, and which are valid, (P,) bool.

    Raises:
        ValueError: unknown mode, or masks of another size than the image.
    """
    if mode not in SUB_IMAGES:
        raise ValueError(
            f'mode of the sub-images is {mode!r}; legal values: {", ".join(SUB_IMAGES)}.'
        )
    if masks.shape[1:] != image.shape[1:]:
        raise ValueError(
            f'masks are {tuple(masks.shape[1:])} pixels, the image '
            f'{tuple(image.shape[1:])}: they must be of one size.'
        )
    inside = masks > THRESHOLD
    valid = inside.flatten(1).any(dim=1)
    fill = torch.as_tensor(fill, dtype=image.dtype, device=image.device).reshape(-1, 1, 1)
    boxes = mask_boxes(masks).tolist()
    pictures = []
    for p in valid.nonzero()[:, 0].tolist():
        picture = image.where(inside[p], fill) if 'mask' in mode else image
        if 'crop' in mode:
            x0, y0, x1, y1 = boxes[p]
            picture = picture[:, y0:y1, x0:x1]
        pictures.append(
            F.interpolate(picture[None], (size, size), mode='bicubic', align_corners=True)[0]
        )
    empty = image.new_zeros(0, len(image), size, size)
    return torch.stack(pictures) if pictures else empty, valid


def pool_by_masks(features: Tensor, masks: Tensor) -> Tensor:
    """The mean over a mask's pixels of the features of their cells.

    Args:
        features: (d, h, w).
        masks: (P, H, W).

    Returns:
        (P, d); zeros for an empty mask.
    """
    weights = F.adaptive_avg_pool2d((masks > THRESHOLD).to(features.dtype), features.shape[1:])
    weights = weights.flatten(1)
    return weights @ features.flatten(1).T / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
