"""The masks of a label map, and how far two masks agree."""

from torch import Tensor

from .vocabulary.labels import UNLABELLED

EPS = 1e-7  # of MAFT's release, where both masks are empty


def class_maps(
    labels: Tensor, ignored: int, instances: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The masks of what is there, and of which class each is.

    Args:
        labels: (H, W), classes; `ignored` and unlabelled pixels are in no mask.
        instances: (h, w), the number of each thing, 0 where there is none; what it is smaller by
            is padding, right and below. A mask is then one thing, or what is left of a class.
            Without it a mask is a class.

    Returns:
        (K, H, W) bool and (K,).
    """
    labels = labels.long()
    numbers = labels.new_zeros(labels.shape)
    if instances is not None:
        height, width = instances.shape
        numbers[:height, :width] = instances
    known = (labels != ignored) & (labels != UNLABELLED)
    most = numbers.max() + 1
    both = labels * most + numbers  # unique rows of two values would take 20 times as long
    there = both[known].unique()
    return (both == there[:, None, None]) & known, there // most


def mask_iou(proposals: Tensor, targets: Tensor) -> Tensor:
    """Soft IoU of proposals with the maps of classes, over all pixels.

    Args:
        proposals: (P, H, W) probabilities.
        targets: (K, H, W), 0 or 1.

    Returns:
        (K, P) float32.
    """
    p, t = proposals.flatten(1).float(), targets.flatten(1).float()
    both = t @ p.T
    return both / (t.sum(dim=1)[:, None] + p.sum(dim=1) - both + EPS)
