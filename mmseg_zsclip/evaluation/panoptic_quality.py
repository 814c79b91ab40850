"""Panoptic quality (Kirillov et al., CVPR 2019, section 4), from panoptic ids alone.

An id is class + `OFFSET` * number. A thing without a number, 0 in an instance map, is a crowd:
things that nobody told apart.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from ..datasets.transforms.load_instances import INSTANCES
from ..registry import METRICS
from ..vocabulary.labels import OFFSET, UNLABELLED, ignore_index
from ..vocabulary.thing_names import load_things, thing_classes
from .areas import draws, write_arrays

GROUPS = ('', '(th)', '(st)')


def true_ids(labels: Tensor, numbers: Tensor, things: Sequence[int], classes: int) -> Tensor:
    """Panoptic ids of the truth: labels (H, W) and the number of each thing (H, W) -> (H, W).
    Pixels of no class are `classes`."""
    labels = labels.long()
    thing = torch.isin(labels, torch.as_tensor(things, device=labels.device))
    void = (labels == ignore_index(classes)) | (labels == UNLABELLED)
    return (labels + OFFSET * numbers.long() * thing).masked_fill(void, classes)


def panoptic_counts(ids: Tensor, truth: Tensor, things: Sequence[int], classes: int) -> Tensor:
    """What of one photo PQ is made of.

    A segment matches a true one of its class from which it has an IoU of more than 0.5, void pixels
    left out (Kirillov et al., section 4.1). It is no false positive where more than half of it is
    void or a crowd of its class (section 4.2).

    Args:
        ids, truth: (H, W) panoptic ids; class `classes` is void.
        things: which classes are things.

    Returns:
        (4, C) float64 of each class: the IoUs of its matches summed, matches, false positives,
        false negatives.

    Raises:
        ValueError: shapes differ; ids of no class.
    """
    if ids.shape != truth.shape:
        raise ValueError(
            f'panoptic map and ground truth differ in shape: {tuple(ids.shape)} and '
            f'{tuple(truth.shape)}. The model must resize its segments to the ground truth.'
        )
    own, own_place, own_area = ids.flatten().unique(return_inverse=True, return_counts=True)
    true, true_place, true_area = truth.flatten().unique(return_inverse=True, return_counts=True)
    both = torch.bincount(true_place * len(own) + own_place, minlength=len(true) * len(own))
    both = both.view(len(true), len(own))
    own_class, true_class = own % OFFSET, true % OFFSET
    for name, values in (('panoptic map', own_class), ('ground truth', true_class)):
        if values.min() < 0 or values.max() > classes:
            raise ValueError(
                f'{name} holds class {values.max()}; legal: 0 to {classes - 1} ({classes} classes) '
                f'and {classes} (void). Do the model and the data set have the same classes?'
            )
    void = true_class == classes
    crowd = torch.isin(true_class, torch.as_tensor(things, device=true.device)) & (true < OFFSET)
    counted, shown = ~void & ~crowd, own_class != classes
    same = true_class[:, None] == own_class
    in_void = both[void].sum(dim=0)
    iou = both.double() / (true_area[:, None] + own_area - both - in_void)
    match = same & counted[:, None] & shown & (iou > 0.5)
    left_out = in_void + (both * (crowd[:, None] & same)).sum(dim=0)
    missed = counted & ~match.any(dim=1)
    wrong = shown & ~match.any(dim=0) & (left_out <= 0.5 * own_area)
    hit = match.any(dim=1)
    pairs = (
        (true_class[hit], iou.masked_fill(~match, 0).sum(dim=1)[hit]),
        (true_class[hit], None),
        (own_class[wrong], None),
        (true_class[missed], None),
    )
    return torch.stack(
        [torch.bincount(of, weight, minlength=classes).double() for of, weight in pairs]
    )


def panoptic_scores(counts: np.ndarray, things: Sequence[int]) -> dict[str, float]:
    """`PQ`, `SQ` and `RQ` in percent, the means over all classes, over things `(th)` and over stuff
    `(st)`. Classes that are neither there nor predicted are left out; a mean over none has no key.

    Args:
        counts: (4, C), see `panoptic_counts`, summed over the photos.
    """
    iou, hit, wrong, missed = counts
    there = hit + wrong + missed > 0
    segmentation = iou / np.maximum(hit, 1)
    recognition = hit / np.maximum(hit + wrong / 2 + missed / 2, 0.5)
    thing = np.isin(np.arange(len(iou)), list(things))
    out = {}
    for group, rows in zip(GROUPS, (there, there & thing, there & ~thing), strict=True):
        if rows.any():
            out[f'PQ{group}'] = 100 * float((segmentation * recognition)[rows].mean())
            out[f'SQ{group}'] = 100 * float(segmentation[rows].mean())
            out[f'RQ{group}'] = 100 * float(recognition[rows].mean())
    return out


@dataclass(frozen=True)
class PanopticCounts:
    """What one model did in every image of a test set, kept so that PQ can be compared image by
    image.

    counts: (images, 4, C), see `panoptic_counts`. classes: (C,) names. things: label values.
    """

    counts: np.ndarray
    classes: np.ndarray
    things: np.ndarray

    @property
    def scores(self) -> dict[str, float]:
        """See `panoptic_scores`."""
        return panoptic_scores(self.counts.sum(axis=0), self.things)

    def resampled_scores(self, resamples: int, seed: int = 0) -> list[dict[str, float]]:
        """The same keys on `resamples` test sets drawn from the images, see `draws`."""
        times = draws(len(self.counts), resamples, seed)
        return [
            panoptic_scores(counts, self.things)
            for counts in np.tensordot(times, self.counts, axes=1)
        ]

    def same_images(self, other: 'PanopticCounts') -> bool:
        """Whether the other model saw as many segments of each class, image by image."""
        one, two = (kept.counts[:, 1] + kept.counts[:, 3] for kept in (self, other))
        return np.array_equal(self.classes, other.classes) and np.array_equal(one, two)


@METRICS.register_module()
class PanopticQualityMetric(BaseMetric):
    """`PQ`, `SQ`, `RQ`, and the same of things `(th)` and of stuff `(st)`, in percent.

    Args:
        things: names of the classes that are things; by default those of the data set
            (`metainfo['things']`).
        counts_file: also write `panoptic_counts` of every image there, a `PanopticCounts`.
        collect_device, prefix: see mmengine's `BaseMetric`.

    Raises:
        ValueError: by `process`, nobody says which classes are things; a sample without panoptic
            segments, or without an instance map though there are things.
    """

    def __init__(
        self,
        things: str | Sequence[str] | None = None,
        counts_file: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.given = things
        self.counts_file = counts_file

    @property
    def things(self) -> list[int]:
        """Label values of the things."""
        meta = self.dataset_meta
        things = self.given if self.given is not None else meta.get('things')
        if things is None:
            raise ValueError(
                'PanopticQualityMetric does not know which classes are things. Give the data set '
                'metainfo=dict(things=[...]), or the metric things=[...].'
            )
        return thing_classes(load_things(things, meta['classes']), meta['classes'])

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Each sample has `pred_panoptic_seg` (`sem_seg` (1, h, w)), `gt_sem_seg` and
        `instance_map`, see `LoadInstances`."""
        things, classes = self.things, len(self.dataset_meta['classes'])
        for sample in data_samples:
            photo = sample.get('img_path', 'a sample')
            if 'pred_panoptic_seg' not in sample:
                raise ValueError(
                    f'{photo} has no panoptic segments. Test a two-stage model with '
                    "model.test_cfg.tasks=['semantic','panoptic']."
                )
            labels, numbers = sample['gt_sem_seg']['data'][0], sample.get(INSTANCES)
            if numbers is None and things:
                raise ValueError(
                    f'{photo} has no instance map, so its things cannot be told apart. Use a data '
                    'set with instances, with LoadInstances and PackSegInputs(meta_keys=(..., '
                    f"'{INSTANCES}')) in its pipeline, or things=[]."
                )
            numbers = torch.as_tensor(np.array(0 if numbers is None else numbers))
            truth = true_ids(labels, numbers.to(labels.device), things, classes)
            ids = sample['pred_panoptic_seg']['sem_seg'][0].to(truth.device)
            self.results.append(panoptic_counts(ids, truth, things, classes).cpu().numpy())

    def compute_metrics(self, results: list) -> dict[str, float]:
        kept = PanopticCounts(
            np.stack(results), np.array(self.dataset_meta['classes']), np.array(self.things)
        )
        if self.counts_file:
            write_arrays(self.counts_file, **asdict(kept))
        counts = kept.counts.sum(axis=0)
        absent = int((counts[1:].sum(axis=0) == 0).sum())
        if absent:
            print_log(
                f'PQ: {absent} of {counts.shape[1]} classes have no segment, true or predicted, '
                'and are left out',
                logger='current',
            )
        return kept.scores
