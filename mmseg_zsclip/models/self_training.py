"""Pseudo-labels for pixels that nobody has labelled, from a teacher or from the model itself.

MaskCLIP+ (ECCV 2022, section 3.4 and Algorithm 1) is this segmentor with a MaskCLIP teacher.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmseg.models.utils import resize
from mmseg.utils import add_prefix
from torch import Tensor, nn

from ..registry import MODELS
from ..vocabulary.labels import UNLABELLED, check_labels
from .encoders import WithTeacher, freeze
from .segmentor import OneStageSegmentor, relabelled
from .upsample import best_classes, bounded
from .vocabulary import Vocabulary, shallow_copy

PHASES = ('supervised', 'guided', 'self')
MODES = dict(unseen='transductive', all='annotation-free')  # `receive`, and HideUnseen's mode


def best_of(
    scores: Tensor,
    rows: Sequence[int],
    size: Sequence[int],
    min_confidence: float = 0.0,
    nothing: int = 255,
    align_corners: bool = False,
) -> Tensor:
    """Best of the chosen classes at every pixel.

    Args:
        scores: (B, C, h, w) whose softmax over the chosen classes is the confidence.
        rows: the classes to choose from.
        size: (H, W) of the labels.
        min_confidence: a pixel whose best class stays below it becomes `nothing`.

    Returns:
        (B, H, W) int64, values of `rows` or `nothing`.
    """
    rows = torch.as_tensor(rows, device=scores.device)
    if not min_confidence:
        return rows[best_classes(scores[:, rows], [size], align_corners)]
    scores = resize(
        bounded(scores[:, rows]), size=tuple(size), mode='bilinear', align_corners=align_corners
    )
    sure, best = scores.softmax(dim=1).max(dim=1)
    return rows[best].where(sure >= min_confidence, nothing)


def cosine_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean of 1 - cosine over positions; (B, d, h, w) and (B, d, h', w') -> scalar."""
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(
            f'distill_weight compares features of {ours.shape[1]} channels with the '
            f"teacher's of {theirs.shape[1]}: both need text embeddings of one CLIP. "
            'Give head and teacher the same text tower, or leave distill_weight out.'
        )
    theirs = resize(theirs.float(), size=ours.shape[-2:], mode='bilinear', align_corners=False)
    return (1 - F.cosine_similarity(ours.float(), theirs, dim=1)).mean()


class Teacher(nn.Module):
    """A frozen segmentor that sees the images of another one.

    Args:
        config: a segmentor of this package; its `data_preprocessor` says which statistics it needs.
    """

    def __init__(self, config: dict) -> None:
        super().__init__()
        self.model = MODELS.build(ConfigDict(config))
        freeze(self.model)
        self.train(False)

    def train(self, mode: bool = True) -> 'Teacher':
        return super().train(False)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.model.vocabulary

    def as_it_sees(self, img: Tensor, preprocessor: nn.Module) -> Tensor:
        """Images that `preprocessor` normalised, with the teacher's statistics: (B, 3, H, W)."""
        mine = self.model.data_preprocessor
        if preprocessor._enable_normalize:
            img = img * preprocessor.std + preprocessor.mean
        if preprocessor.channel_conversion != mine.channel_conversion:
            img = img.flip(1)
        return (img - mine.mean) / mine.std if mine._enable_normalize else img

    @torch.no_grad()
    def scores(
        self, img: Tensor, confidence: bool = False, feats: Sequence[Tensor] | None = None
    ) -> Tensor:
        """(B, 3, H, W), as it sees them -> (B, C, h, w), whose softmax is the confidence if asked:
        otherwise the head's own output, of which only the order counts, and which is made of
        `feats` where the tower has seen the images already."""
        cfg = self.model.test_cfg
        if not confidence and cfg.mode == 'whole' and cfg.get('pamr') is None:
            return self.model.decode_head(self.features(img) if feats is None else feats)
        shape = tuple(img.shape[2:])
        return self.model.inference(img, [dict(img_shape=shape, ori_shape=shape)] * len(img))

    @torch.no_grad()
    def features(self, img: Tensor) -> Sequence[Tensor]:
        """(B, 3, H, W), as it sees them -> what its head is given; the first (B, d, h, w), in the
        joint image-text space."""
        return self.model.extract_feat(img)


@MODELS.register_module()
class SelfTrainedSegmentor(WithTeacher, OneStageSegmentor):
    """A segmentor whose unlabelled pixels (`UNLABELLED`) are labelled while it trains.

    `phase` says by whom: 'supervised' by nobody, they are ignored; 'guided' by the teacher; 'self'
    by the argmax of this model's own logits of the same forward pass. `SelfTrainingHook` changes
    it; without the hook it stays 'guided', or 'supervised' where there is no teacher. Labels are
    made from the augmented crops of the batch, without gradient. Ignored pixels stay ignored.

    Args:
        teacher: config of any segmentor of this package with the same classes. It is frozen, and
            no part of checkpoints: its weights come from its own config.
        receive: which classes pseudo-labels may have: 'unseen' (transductive zero-shot), or 'all'
            (annotation-free; a human's label is then an error).
        min_confidence: pixels whose pseudo-label is less confident are ignored.
        distill_weight: of the mean of 1 - cosine between the features that meet the text embeddings
            here and in the teacher; the paper has none (section 3.4 argues against it).
        Others: see `OneStageSegmentor`. The head has `unseen`, as `TextHead` and `ZegCLIPHead`.

    Raises:
        ValueError: bad values; a teacher of other classes; "ground-truth leak" when a label that
            training must not see is in a batch.
    """

    def __init__(
        self,
        teacher: dict | None = None,
        receive: str = 'unseen',
        min_confidence: float = 0.0,
        distill_weight: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if receive not in MODES:
            raise ValueError(f'receive is {receive!r}; legal values: {", ".join(MODES)}.')
        if not 0 <= min_confidence < 1:
            raise ValueError(
                f'min_confidence is {min_confidence}; legal values: from 0 (off) to below 1.'
            )
        if distill_weight and teacher is None:
            raise ValueError(
                f'distill_weight is {distill_weight}, but there is no teacher to '
                'distil. Give `teacher`, or leave distill_weight out.'
            )
        self.receive = receive
        self.min_confidence = min_confidence
        self.distill_weight = distill_weight
        self.keep_teacher(Teacher(teacher) if teacher else None)
        self.phase = 'guided' if teacher else 'supervised'
        self.check_teacher()

    @property
    def phase(self) -> str:
        return self._phase

    @phase.setter
    def phase(self, phase: str) -> None:
        if phase not in PHASES:
            raise ValueError(f'phase is {phase!r}; legal values: {", ".join(PHASES)}.')
        if phase == 'guided' and self.teacher is None:
            raise ValueError(
                "phase is 'guided', but the model has no `teacher`. Give one, or use 'supervised'."
            )
        self._phase = phase

    def check_teacher(self) -> None:
        if self.teacher is None:
            return
        ours, theirs = self.vocabulary.names, self.teacher.vocabulary.names
        if ours != theirs:
            raise ValueError(
                f'the teacher has {len(theirs)} classes ({", ".join(theirs[:3])}, ...), '
                f'the model {len(ours)} ({", ".join(ours[:3])}, ...): its labels would '
                'mean something else. Give both the same `classes`.'
            )

    def init_weights(self) -> None:
        super().init_weights()
        if self.teacher is not None:
            self.teacher.model.init_weights()

    def sharing_weights(self) -> 'SelfTrainedSegmentor':
        view = super().sharing_weights()
        if self.teacher is not None:
            view.keep_teacher(shallow_copy(self.teacher))
            view.teacher.model = self.teacher.model.sharing_weights()
        return view

    def follow_vocabulary(self) -> None:
        """The teacher's vocabulary changes too; its text embeddings are always its own CLIP's."""
        super().follow_vocabulary()
        words = self.vocabulary
        if self.teacher is not None and self.teacher.vocabulary.classes != words.classes:
            self.teacher.model.set_classes(words.classes, [words.names[i] for i in words.unseen])

    @property
    def receivers(self) -> list[int]:
        """The classes that pseudo-labels may have."""
        return self.unseen if self.receive == 'unseen' else list(range(self.num_classes))

    def loss(self, inputs: Tensor, data_samples: list) -> dict:
        """Losses of the labels given and made; besides, shares of pixels by who labelled them."""
        given = self.given_labels(data_samples)
        if self.phase == 'supervised':
            labels = given.masked_fill(given == UNLABELLED, self.decode_head.ignore_index)
            losses = super().loss(inputs, relabelled(data_samples, labels))
            return losses | self.shares(given, labels, data_samples)
        feats = self.extract_feat(inputs)
        if self.distill_weight:
            logits, joint = self.decode_head.forward_with_features(feats)
        else:
            logits = self.decode_head(feats)
        img = theirs = None
        if self.phase == 'guided' or self.distill_weight:
            img = self.teacher.as_it_sees(inputs, self.data_preprocessor)
        if self.distill_weight:
            theirs = self.teacher.features(img)
        made = self.made_labels(given, img, logits.detach(), theirs)
        labels = made.where(given == UNLABELLED, given)
        samples = relabelled(data_samples, labels)
        losses = add_prefix(self.decode_head.loss_by_feat(logits, samples), 'decode')
        if self.with_auxiliary_head:
            losses |= self.auxiliary_losses(feats, samples)
        if self.distill_weight:
            losses['loss_distill'] = self.distill_weight * cosine_distance(joint, theirs[0])
        return losses | self.shares(given, labels, data_samples)

    def auxiliary_losses(self, feats: Sequence[Tensor], samples: list) -> dict:
        """Of labels checked and completed: a head's own `loss` would take those made of unseen
        classes for a leak."""
        several = isinstance(self.auxiliary_head, nn.ModuleList)
        losses = {}
        for i, head in enumerate(self.auxiliary_head if several else [self.auxiliary_head]):
            name = f'aux_{i}' if several else 'aux'
            losses |= add_prefix(head.loss_by_feat(head(feats), samples), name)
        return losses

    def given_labels(self, data_samples: list) -> Tensor:
        """(B, H, W) int64, checked: no label that training must not see."""
        labels = torch.stack([sample.gt_sem_seg.data for sample in data_samples]).squeeze(1)
        check_labels(
            labels,
            self.vocabulary.classes,
            self.receivers,
            self.decode_head.ignore_index,
            MODES[self.receive],
        )
        return labels

    def made_labels(
        self, given: Tensor, img: Tensor | None, logits: Tensor, theirs: Sequence[Tensor] | None
    ) -> Tensor:
        """Pseudo-labels (B, H, W) of a batch; those of labelled pixels are not used."""
        if not (given == UNLABELLED).any():
            return given
        scores = logits
        if self.phase == 'guided':
            scores = self.teacher.scores(img, self.min_confidence > 0, theirs)
        return best_of(
            scores,
            self.receivers,
            given.shape[1:],
            self.min_confidence,
            self.decode_head.ignore_index,
            self.align_corners,
        )

    def shares(self, given: Tensor, labels: Tensor, data_samples: list) -> dict[str, Tensor]:
        """For the log: the shares of all pixels that a human and the phase's labeller have
        labelled, and the latter's agreement with the truth that `HideUnseen(keep_truth=True)` has
        kept."""
        known = labels != self.decode_head.ignore_index
        made = known & (given == UNLABELLED)
        count = dict(
            human=known & ~made,
            teacher=made & (self.phase == 'guided'),
            self=made & (self.phase == 'self'),
        )
        result = {f'labelled_by_{who}': part.float().mean() for who, part in count.items()}
        truths = [sample.metainfo.get('hidden_seg_map') for sample in data_samples]
        if self.phase != 'supervised' and all(truth is not None for truth in truths):
            truth = torch.full_like(labels, self.decode_head.ignore_index)
            for row, one in zip(truth, truths, strict=True):  # label maps may have been padded
                row[: one.shape[0], : one.shape[1]] = torch.as_tensor(one, device=row.device)
            made &= truth != self.decode_head.ignore_index
            result['agreement'] = ((truth == labels) & made).sum() / made.sum().clamp(min=1)
        return result
