"""What a pixel of a label map may hold, named once for loaders, transforms, losses and the metric.

A pixel is one of four things:

- a class, `0 .. C-1`, an index into the data set's FULL class list (seen and unseen);
- ignored: the annotator's "void", the border of an object, every padded pixel, and in the
  inductive setting every pixel of an unseen class. Never trained on, never scored, never
  pseudo-labelled;
- unlabelled (`UNLABELLED`): a pixel of an unseen class in the transductive setting. Only these
  may receive a pseudo-label;
- anything else: an error, raised where the file is read.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .lists import canonical

if TYPE_CHECKING:
    from torch import Tensor

IGNORE = 255
IGNORE_LARGE = 65535
UNLABELLED = -1
TASKS = ('semantic', 'instance', 'panoptic')
OFFSET = 1000  # a panoptic id is class + OFFSET * number of the thing, as mmdet's


def ignore_index(num_classes: int) -> int:
    """Value of an ignored pixel: 255, or 65535 where 255 would be a class of its own.

    Args:
        num_classes: length of the full class list, at least 1.

    Raises:
        ValueError: no class, or more classes than a 16-bit file can hold.
    """
    if not 1 <= num_classes <= IGNORE_LARGE:
        raise ValueError(
            f'a label map cannot hold {num_classes} classes: 1 to {IGNORE_LARGE} can be stored.'
        )
    return IGNORE if num_classes < IGNORE else IGNORE_LARGE


def legal_ignore(num_classes: int, given: int | None = None) -> int:
    """The ignored value of a head of `num_classes`: `given`, or that of `ignore_index`.

    Raises:
        ValueError: `given` is one of the classes.
    """
    if given is None:
        return ignore_index(num_classes)
    if 0 <= given < num_classes:
        raise ValueError(
            f'ignore_index is {given}, which is one of the {num_classes} classes (0 to '
            f'{num_classes - 1}): it would never be trained. Leave ignore_index out, which makes '
            f'it {ignore_index(num_classes)}.'
        )
    return given


def check_labels(
    labels: 'Tensor', classes: Sequence[str], hidden: Sequence[int], ignored: int, mode: str
) -> None:
    """That a batch's labels are classes, none of them hidden from training.

    Args:
        labels: (B, ...) int64; `ignored` and `UNLABELLED` pixels are passed over.
        hidden: classes of which no label may arrive.
        mode: of `HideUnseen`, which should have hidden them.

    Raises:
        ValueError: a label that is no class; "ground-truth leak".
    """
    known = labels[(labels != ignored) & (labels != UNLABELLED)]
    if not len(known):
        return
    if known.min() < 0 or known.max() >= len(classes):
        raise ValueError(
            f'labels run from {int(known.min())} to {int(known.max())}, but there are '
            f'{len(classes)} classes (0 to {len(classes) - 1}; {ignored} is ignored). Check '
            'reduce_zero_label and the converter of the data set.'
        )
    found = known.bincount(minlength=len(classes))
    leaked = [canonical(classes[i]) for i in hidden if found[i]]
    if leaked:
        raise ValueError(
            f'ground-truth leak: labels of {leaked} reached the loss, which training must not see. '
            f"Put dict(type='mmseg_zsclip.HideUnseen', ..., mode={mode!r}) behind LoadLabels in "
            'the training pipeline.'
        )
