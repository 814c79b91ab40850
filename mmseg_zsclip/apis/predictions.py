"""What a model says of photos: labels, scores that are made when asked for, and segments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from mmengine.structures import InstanceData
from mmseg.structures import SegDataSample
from torch import Tensor

from ..models.fusion import semantic_scores
from ..models.mask_ops import photo_masks
from ..models.score_rows import ScoreRows, best_labels, strips, whole_rows
from ..models.two_stage import TwoStageSegmentor
from ..models.vocabulary import OpenVocabulary

MASK_PIXELS = 2**20  # of a photo's masks; of larger photos they are made smaller, and enlarged


@dataclass(frozen=True)
class ClassScores:
    """Scores of the classes that a user asked for, of one photo; whole ones are never kept.

    Args:
        rows: of the R texts that the model knew, on the CPU.
        owner: (R,), the class that each text stands for; a class's score is the best of its texts'.
        classes: C.
        probabilities: of scores (R, ...), see `OneStageSegmentor.probabilities`.
    """

    rows: ScoreRows
    owner: Tensor
    classes: int
    probabilities: Callable[[Tensor], Tensor]

    @property
    def size(self) -> tuple[int, int]:
        return self.rows.size

    def folded(self, scores: Tensor) -> Tensor:
        """(R, ...) -> (C, ...)."""
        if len(self.owner) == self.classes:
            return scores
        index = self.owner.to(scores.device).reshape(-1, *[1] * (scores.dim() - 1))
        out = scores.new_full((self.classes, *scores.shape[1:]), -torch.inf)
        return out.scatter_reduce(0, index.expand_as(scores), scores, 'amax')

    @torch.inference_mode()
    def whole(self) -> np.ndarray:
        """(C, H, W) float32."""
        return torch.cat([self.folded(part) for part in strips([self.rows])], dim=1).numpy()

    @torch.inference_mode()
    def at(self, x: int, y: int) -> np.ndarray:
        """(C,) of one pixel."""
        return self.folded(self.rows.rows(y, y + 1)[:, 0, x]).numpy()

    @torch.inference_mode()
    def sureness(self, labels: np.ndarray) -> np.ndarray:
        """How probable labels (h, w) of a smaller picture of the photo are, (h, w); 0 where one is
        no class."""
        small = replace(self.rows, meta={**self.rows.meta, 'ori_shape': labels.shape})
        labels, out, first = torch.from_numpy(labels), [], 0
        for part in strips([small]):
            some = labels[first : first + part.shape[1]]
            known = (some >= 0) & (some < self.classes)
            sure = self.folded(self.probabilities(part))
            out.append(sure.gather(0, some.where(known, 0)[None])[0] * known)
            first += len(some)
        return torch.cat(out).numpy()


@dataclass
class Prediction:
    """Of one photo: `labels` (H, W) int64 of its classes; `scores`; and where they were asked for
    `instances` (see `models.segments`) and `panoptic` ids (h, w), both perhaps of a smaller size.
    Everything is on the CPU."""

    labels: Tensor
    scores: ClassScores
    instances: InstanceData | None = None
    panoptic: Tensor | None = None


def predict(
    view: OpenVocabulary,
    data: Mapping,
    tasks: Sequence[str],
    owner: Tensor,
    classes: int,
    ignored: int,
    threshold: float = 0.0,
) -> list[Prediction]:
    """What `view` says of a batch.

    Args:
        view: a segmentor of ours, of R texts.
        data: `inputs` (B, 3, H, W) and `data_samples`, as its data_preprocessor gives them.
        tasks: of 'semantic', 'instance' and 'panoptic'.
        owner, classes: see `ClassScores`.
        ignored: label of pixels that are no class.
        threshold: the least probability of a pixel's class; below it the pixel is ignored.
    """
    inputs, samples = data['inputs'], data['data_samples']
    if isinstance(view, TwoStageSegmentor):
        maps = two_stage_scores(view, inputs, samples, tasks)
    else:
        maps = view.photo_scores(inputs, samples)
    out = []
    for rows, sample in zip(maps, samples, strict=True):
        scores = ClassScores(rows, owner, classes, view.probabilities)
        with torch.autocast(inputs.device.type, enabled=False):
            labels = labels_of(scores, ignored, threshold).cpu()
        rows = replace(rows, parts=[part.cpu() for part in rows.parts])
        one = Prediction(labels, replace(scores, rows=rows))
        if 'instance' in tasks:
            one.instances = sample.pred_instances.cpu()
        if 'panoptic' in tasks:
            one.panoptic = sample.pred_panoptic_seg.sem_seg[0].cpu()
        out.append(one)
    return out


def labels_of(scores: ClassScores, ignored: int, threshold: float) -> Tensor:
    """(H, W) int64: the class of the best score; `ignored` below the threshold, and where a model
    of two stages proposes nothing."""
    rows, owner = scores.rows, scores.owner.to(scores.rows.parts[0].device)
    if not any(part.any() for part in rows.parts):
        return torch.full(rows.size, ignored)
    if not threshold:
        labels = best_labels([rows])
        return labels if len(owner) == scores.classes else owner[labels]
    out = []
    for part in strips([rows]):
        best, texts = scores.probabilities(part).max(dim=0)
        out.append(owner[texts].masked_fill(best < threshold, ignored))
    return torch.cat(out)


def two_stage_scores(
    view: TwoStageSegmentor, inputs: Tensor, samples: Sequence[SegDataSample], tasks: Sequence[str]
) -> list[ScoreRows]:
    """Scores of photos; segments are added to `samples`.

    Raises:
        ValueError: a model that needs the truth.
    """
    if view.generator.needs_labels or getattr(view.fusion, 'needs_labels', False):
        raise ValueError(
            'this model reads the true label map of a photo, to measure what proposals allow: a '
            'photo alone has none. Choose a model without an upper bound or given masks.'
        )
    as_logits = view.test_cfg.get('resize_logits', False)
    out = []
    pairs = view.fused(inputs, samples, of_photos=False)
    for (scores, masks), sample in zip(pairs, samples, strict=True):
        meta = sample.metainfo
        if as_logits or {*tasks} - {'semantic'}:
            small = {**meta, 'ori_shape': limited(meta['ori_shape'][:2], MASK_PIXELS)}
            of_photo = photo_masks(masks, small, as_logits)
            view.add_segments(sample, scores, of_photo, tasks)
            if as_logits:  # no longer linear, so that scores are made after masks were resized
                masks, meta = of_photo, dict(ori_shape=meta['ori_shape'])
        with torch.autocast(inputs.device.type, enabled=False):
            whole = semantic_scores(scores.float(), masks.float(), view.offsets(scores))
        out.append(whole_rows(whole, meta))
    return out


def limited(size: Sequence[int], pixels: int) -> tuple[int, int]:
    """(H, W) of the same aspect with about so many pixels, if it has more."""
    ratio = min(1.0, (pixels / (size[0] * size[1])) ** 0.5)
    return tuple(max(round(side * ratio), 1) for side in size)
