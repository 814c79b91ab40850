"""Pixel-adaptive mask refinement (PAMR; Araslanov and Roth, CVPR 2020): nothing is trained.

Scores of a pixel become a mean of its neighbours', weighted by how alike their colours are, again
and again. The constant `SHARPNESS` and the neighbours around the image are the released code's,
which every published number used.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .upsample import bounded

SHARPNESS = 0.1  # of the local standard deviation; lower follows edges more closely
CHUNK = 8  # classes at a time, which bounds the memory


def refine(
    scores: Tensor, image: Tensor, steps: int = 10, dilations: Sequence[int] = (8, 16)
) -> Tensor:
    """Scores that follow the image's edges.

    Linear in the scores: logits, probabilities and sigmoids are all legal, and a map that is the
    same at every pixel stays so.

    Args:
        scores: (B, C, H, W).
        image: (B, 3, H, W), in any unit.
        steps: repetitions, 10 in NACLIP's release.
        dilations: distances of the eight neighbours, in pixels; 8 and 16 in NACLIP.

    Returns:
        (B, C, H, W) of the scores' type; computed in float32.

    Raises:
        ValueError: sizes that differ, no step, no dilation; NaN among the scores or in the image,
            which would spread.
    """
    if scores.shape[2:] != image.shape[2:] or len(scores) != len(image):
        raise ValueError(
            f'scores are {tuple(scores.shape)}, the image is {tuple(image.shape)}: '
            'batch, height and width must be the same. Resize the scores first.'
        )
    if steps < 1 or not dilations or min(dilations) < 1:
        raise ValueError(
            f'steps is {steps}, dilations is {tuple(dilations)}; legal values: at '
            'least 1 step, and at least one dilation of at least 1 pixel.'
        )
    if not image.isfinite().all():
        raise ValueError(
            'the image holds NaN or infinity, which would spread over the scores. Repair it first.'
        )
    weights = affinity(image.float(), dilations)
    out = torch.empty_like(scores)
    for start in range(0, scores.shape[1], CHUNK):
        part = bounded(scores[:, start : start + CHUNK])
        for _ in range(steps):
            mean = torch.zeros_like(part)
            for weight, shifted in zip(weights, neighbours(part, dilations), strict=True):
                mean.addcmul_(weight, shifted)  # in place: three times faster than a sum
            part = mean
        out[:, start : start + CHUNK] = part
    return out


def affinity(image: Tensor, dilations: Sequence[int]) -> Tensor:
    """Weights of a pixel's neighbours: the softmax over them of the mean over colours of
    -|x_p - x_n| / (0.1 sigma_p), sigma_p the standard deviation of x at p and its neighbours.

    Args:
        image: (B, 3, H, W) float32.

    Returns:
        (8 * len(dilations), B, 1, H, W), summing to 1; order as in `neighbours`.
    """
    # p counts once a dilation, as in the released code
    count, own = 9 * len(dilations), len(dilations)
    mean = (own * image + sum(neighbours(image, dilations))) / count
    variance = (
        own * (image - mean).square()
        + sum((shifted - mean).square() for shifted in neighbours(image, dilations))
    ) / (count - 1)
    scale = SHARPNESS * variance.sqrt() + 1e-8
    logits = [
        -((image - shifted).abs() / scale).mean(dim=1, keepdim=True)
        for shifted in neighbours(image, dilations)
    ]
    return torch.stack(logits).softmax(dim=0)


def neighbours(x: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """(B, C, H, W) shifted so that each pixel holds its neighbour, for the eight directions at
    every dilation; the border's pixels go on beyond it."""
    height, width = x.shape[2:]
    far = max(dilations)
    x = F.pad(x, [far] * 4, mode='replicate')
    for step in dilations:
        for dy in (-step, 0, step):
            for dx in (-step, 0, step):
                if dy or dx:
                    top, left = far + dy, far + dx
                    yield x[:, :, top : top + height, left : left + width]
