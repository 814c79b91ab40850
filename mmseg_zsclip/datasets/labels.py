"""What a pixel of a label map may hold, named once for loaders, transforms, losses and the metric.

A pixel is one of four things:

- a class, ``0 .. C-1``, an index into the data set's FULL class list (seen and unseen);
- ignored: the annotator's "void", the border of an object, every padded pixel, and in the
  inductive setting every pixel of an unseen class. Never trained on, never scored, never
  pseudo-labelled;
- unlabelled (``UNLABELLED``): a pixel of an unseen class in the transductive setting. Only these
  may receive a pseudo-label;
- anything else: an error, raised where the file is read.
"""

IGNORE = 255
IGNORE_LARGE = 65535
UNLABELLED = -1


def ignore_index(num_classes: int) -> int:
    """Value of an ignored pixel: 255, or 65535 where 255 would be a class of its own.

    Args:
        num_classes: length of the full class list, at least 1.

    Raises:
        ValueError: no class, or more classes than a 16-bit file can hold.
    """
    if not 1 <= num_classes <= IGNORE_LARGE:
        raise ValueError(
            f'a label map cannot hold {num_classes} classes: 1 to {IGNORE_LARGE} can be stored.')
    return IGNORE if num_classes < IGNORE else IGNORE_LARGE
