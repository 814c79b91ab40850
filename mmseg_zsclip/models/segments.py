"""Instances and panoptic segments, from the same scores and masks as the semantic labels.

Source: MasQCLIP, section 5.2, "post-processing follows Mask2Former".
"""

from collections.abc import Mapping, Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ..vocabulary.labels import OFFSET, TASKS
from .mask_ops import THRESHOLD, mask_boxes


def check_tasks(options: Mapping) -> None:
    """That the `test_cfg` of a two-stage model asks for what there is.

    Raises:
        ValueError: an unknown task, or none; a threshold outside [0, 1]; no instance.
    """
    tasks = options.get('tasks', ['semantic'])
    if isinstance(tasks, str) or not tasks or set(tasks) - set(TASKS):
        raise ValueError(f'tasks is {tasks!r}; legal: a list of some of {", ".join(TASKS)}.')
    for name in ('score_threshold', 'overlap_threshold'):
        if not 0 <= options.get(name, 0) <= 1:
            raise ValueError(
                f'{name} of the panoptic segments is {options[name]}; legal values: 0 to 1, 0.3 '
                'by default.'
            )
    if options.get('top', 1) < 1:
        raise ValueError(f'top is {options["top"]}; legal values: at least 1 instance a photo.')


def instances(scores: Tensor, masks: Tensor, things: Sequence[int], top: int = 100) -> InstanceData:
    """The best pairs of a proposal and a class of things.

    A pair is scored by the class's score for the proposal times the mean probability inside the
    mask; the best are chosen before that, as released.

    Args:
        scores: (P, C).
        masks: (P, H, W) probabilities.
        things: the classes to choose from.
        top: at most so many.

    Returns:
        `scores` (K,), descending; `labels` (K,); `masks` (K, H, W) bool; `bboxes` (K, 4), x0, y0,
        x1, y1 in pixels.
    """
    pairs = scores[:, list(things)]
    found, place = pairs.flatten().topk(min(top, pairs.numel()))
    proposals = place.div(max(len(things), 1), rounding_mode='floor')
    labels = torch.as_tensor(things, dtype=torch.int64, device=scores.device)
    labels = labels[place - proposals * len(things)]
    inside = masks > THRESHOLD
    quality = (masks * inside).flatten(1).sum(dim=1) / (inside.flatten(1).sum(dim=1) + 1e-6)
    found, order = (found * quality[proposals]).sort(descending=True, stable=True)
    inside = inside[proposals[order]]
    return InstanceData(
        scores=found, labels=labels[order], masks=inside, bboxes=mask_boxes(inside).to(scores)
    )


def panoptic_ids(
    scores: Tensor,
    masks: Tensor,
    things: Sequence[int],
    score_threshold: float = 0.3,
    overlap_threshold: float = 0.3,
) -> Tensor:
    """One segment a pixel: a thing for each proposal, the proposals of a stuff class together.

    A pixel goes to the proposal of the largest score times mask, and belongs to its segment where
    the mask covers it. A proposal that wins too little of its own mask gets none.

    Args:
        scores: (P, C).
        masks: (P, H, W) probabilities.
        things: which classes are things.
        score_threshold: proposals whose best class has no more are dropped.
        overlap_threshold: the least part of its mask that a proposal must win.

    Returns:
        (H, W) int64: class + `OFFSET` * number for a thing, counted from 1; the class for stuff; C
        where there is nothing.

    Raises:
        ValueError: more classes than `OFFSET` tells apart.
    """
    void = scores.shape[1]
    if void >= OFFSET:
        raise ValueError(
            f'{void} classes have no panoptic ids: less than {OFFSET} are told apart. Ask for '
            'semantic labels or instances.'
        )
    ids = torch.full(masks.shape[1:], void, device=masks.device)
    best, labels = scores.max(dim=1)
    kept = best > score_threshold
    if not kept.any():
        return ids
    best, labels, masks = best[kept], labels[kept].tolist(), masks[kept]
    winner = (best[:, None, None] * masks).argmax(dim=0)
    number = 0
    for i, (label, mask) in enumerate(zip(labels, masks >= THRESHOLD, strict=True)):
        won = winner == i
        segment = won & mask
        if not segment.any() or won.sum() / mask.sum() < overlap_threshold:
            continue
        number += label in things
        ids[segment] = label + OFFSET * number * (label in things)
    return ids
