"""Progressive distillation of class-agnostic proposals (MasQCLIP, section 4.2.1).

What a teacher finds where no truth is becomes truth of its student, and the student the next
teacher; see `DistillationHook` for the rounds. Differs from the released code:
- Overlap is the IoU of whole masks, as in Algorithm 1; the release's is a dice of sampled points
  (`overlap='dice'`, `points=12544`).
- The rounds are one run; one launch of the release is one round.
"""

from copy import deepcopy

import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from ..datasets.transforms.hide_unseen import TRUTH
from ..datasets.transforms.load_instances import INSTANCES
from ..losses.mask_labels import OVERLAPS, check_overlap
from ..masks import class_maps, mask_iou
from ..registry import MODELS
from .encoders import WithTeacher, freeze
from .segments import instances
from .two_stage import TwoStageSegmentor


def sampled(masks: Tensor, points: Tensor) -> Tensor:
    """Masks (P, H, W) at points (S, 2), x and y from 0 to 1, bilinear: (P, S)."""
    grid = (points * 2 - 1)[None, None].to(masks.device)
    return F.grid_sample(masks[None].float(), grid, align_corners=False)[0, :, 0]


def new_masks(
    masks: Tensor,
    scores: Tensor,
    truth: Tensor,
    score_threshold: float = 0.8,
    overlap_threshold: float = 0.1,
    overlap: str = 'iou',
    points: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Which masks of a teacher its student is to learn (Algorithm 1): sure ones that overlap
    neither the truth nor a surer one.

    Args:
        masks: (P, H, W) bool.
        scores: (P,).
        truth: (K, H, W) bool.
        score_threshold: alpha, which a score must exceed.
        overlap_threshold: beta, which an overlap must stay below.
        overlap: a key of `OVERLAPS`.
        points: (S, 2) where masks are compared with the truth, and (S, 2) where with each other;
            every pixel if left out.

    Returns:
        (N,) their places, by descending score.
    """
    measure = OVERLAPS[overlap]
    order = scores.argsort(descending=True, stable=True)
    order = order[scores[order] > score_threshold]
    with_truth, among = (
        (masks[order], masks[order])
        if points is None
        else (sampled(masks[order], p) for p in points)
    )
    if len(truth):
        truth = truth if points is None else sampled(truth, points[0])
        free = (measure(with_truth, truth) < overlap_threshold).all(dim=0)
        order, among = order[free], among[free]
    apart = measure(among, among) < overlap_threshold
    chosen = []
    for i in range(len(order)):
        if apart[i, chosen].all():
            chosen.append(i)
    return order[chosen]


@MODELS.register_module()
class ProgressiveDistillation(WithTeacher, TwoStageSegmentor):
    """A two-stage model whose generator trains on the truth and on what its teacher finds beside.

    The teacher is what the generator was when the round began, see `promote`; it is no submodule.
    Logs `new_masks`, how many a photo gets, and, where the samples hold what was hidden
    (`HideUnseen(keep_truth=True)`), `new_masks_unseen`, how many of them are of an unseen class,
    with an IoU above 0.5.

    Args:
        score_threshold, overlap_threshold, overlap: see `new_masks`.
        points: how many random points are compared, 12544 in the release; every pixel if left out.
        top: so many masks of the teacher are looked at.
        Others: see `TwoStageSegmentor`; the generator is class-agnostic and trains.

    Raises:
        TypeError: a generator without loss, or one whose scores are of classes.
        ValueError: a threshold outside [0, 1], an unknown overlap, no points.
    """

    def __init__(
        self,
        score_threshold: float = 0.8,
        overlap_threshold: float = 0.1,
        overlap: str = 'iou',
        points: int | None = None,
        top: int = 100,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_overlap(overlap, overlap_threshold, 'overlap_threshold')
        check_overlap(overlap, score_threshold, 'score_threshold')
        if points is not None and points < 1:
            raise ValueError(
                f'points is {points}; legal values: at least 1, or None for all pixels.'
            )
        if not hasattr(self.generator, 'loss') or getattr(self.generator, 'knows_text', False):
            raise TypeError(
                f'{type(self.generator).__name__} '
                + ('knows text' if hasattr(self.generator, 'loss') else 'does not train')
                + '; distillation needs an object score that trains: QueryProposals without '
                '`text`, or DetectorProposals.'
            )
        self.limits = dict(
            score_threshold=score_threshold, overlap_threshold=overlap_threshold, overlap=overlap
        )
        self.points = points
        self.top = top
        self.keep_teacher(deepcopy(self.generator).eval())
        freeze(self.teacher)

    def promote(self) -> None:
        """The teacher becomes what the generator is now."""
        self.teacher.load_state_dict(self.generator.state_dict())

    @torch.no_grad()
    def additions(self, inputs: Tensor, data_samples: list, truths: list[Tensor]) -> list[Tensor]:
        """Of each image the masks (N, H, W) bool of the teacher that its truth (K, H, W) lacks."""
        metas, kept = self.places(inputs, data_samples)
        img = self.as_generator_sees(inputs, kept)
        out = []
        for one, truth in zip(self.teacher(img, metas, self.vocabulary()), truths, strict=True):
            found = instances(one.object_scores[:, None], one.masks, [0], self.top)
            points = None
            if self.points is not None:
                points = torch.rand(2, self.points, 2, device=inputs.device)
            place = new_masks(found.masks, found.scores, truth, **self.limits, points=points)
            out.append(found.masks[place])
        return out

    def real_ones(self, masks: Tensor, sample: SegDataSample) -> Tensor | None:
        """How many masks (N, H, W) are of an unseen class; None where what was hidden is not
        known."""
        if TRUTH not in sample.metainfo:
            return None
        maps = []
        for key, nothing in ((TRUTH, self.ignored), (INSTANCES, 0)):
            one = torch.full(masks.shape[1:], nothing, device=masks.device)
            given = sample.metainfo.get(key)
            if given is not None:  # without padding
                one[: given.shape[0], : given.shape[1]] = torch.as_tensor(given.copy())
            maps.append(one)
        labels, numbers = maps
        unseen = torch.isin(labels, torch.as_tensor(self.unseen, device=labels.device))
        truth, _ = class_maps(labels.masked_fill(~unseen, self.ignored), self.ignored, numbers)
        return (mask_iou(masks, truth) > 0.5).any(dim=0).sum()

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """The generator's losses, with the masks that the teacher adds; and what is logged.

        Raises:
            ValueError: "ground-truth leak", see `targets`.
        """
        targets = self.targets(data_samples)
        added = self.additions(inputs, data_samples, [maps for maps, _ in targets])
        whole = [
            (torch.cat([maps, new]), F.pad(classes, (0, len(new))))  # no class is asked for
            for (maps, classes), new in zip(targets, added, strict=True)
        ]
        losses = self.generator_loss(inputs, data_samples, whole)
        losses['new_masks'] = inputs.new_tensor([len(one) for one in added]).mean()
        real = list(map(self.real_ones, added, data_samples))
        if all(one is not None for one in real):
            losses['new_masks_unseen'] = torch.stack(real).float().mean()
        return losses
