"""MAFT that labels for itself what nobody has labelled (table 8), after ZSSeg's recipe (Xu et al.,
ECCV 2022).

The paper says that it is done, not how. Differs from ZSSeg's code:
- The model labels each batch as it is, where ZSSeg labels all photos once, with the first model.
- A pixel of which no proposal says anything is ignored; ZSSeg makes it the first unseen class.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..registry import MODELS
from ..vocabulary.labels import UNLABELLED, check_labels
from .encoders import freeze
from .fusion import semantic_scores
from .maft import MAFT
from .segmentor import relabelled

PHASES = ('supervised', 'self')
STAGES = ('generator', 'classifier')


@MODELS.register_module()
class SelfTrainedMAFT(MAFT):
    """A two-stage model that trains on the truth of seen classes and its own map of unseen ones.

    `phase` says who labels unlabelled pixels (`UNLABELLED`; `HideUnseen(mode='transductive')`, or
    'transductive-all', where ignored ones are among them, as in ZSSeg): 'supervised' nobody, they
    are ignored; 'self' the model, as it would be tested. `SelfTrainingHook` changes it; without the
    hook it stays 'self'. Start from a model that was trained without it (`load_from`).

    Args:
        retrain: stages that train: 'generator', 'classifier' or both, the default; the paper does
            not say which. The generator learns its own losses, IP-CLIP those of `MAFT`.
        Others: see `MAFT`.

    Raises:
        ValueError: no stage, or an unknown one; an unknown phase; by `loss`, "ground-truth leak".
        TypeError: a generator to train that has no loss.
    """

    def __init__(self, retrain: Sequence[str] = STAGES, **kwargs) -> None:
        super().__init__(**kwargs)
        if isinstance(retrain, str) or not retrain or set(retrain) - set(STAGES):
            raise ValueError(f'retrain is {retrain!r}; legal: a list of {", ".join(STAGES)}.')
        self.retrain = tuple(retrain)
        self.phase = 'self'
        if 'classifier' not in retrain:
            freeze(self.classifier)
        if 'generator' in retrain:
            if not hasattr(self.generator, 'loss'):
                raise TypeError(
                    f'{type(self.generator).__name__} has nothing to train. Use QueryProposals, or '
                    "retrain=['classifier']."
                )
            self.generator.requires_grad_(True).train()  # which freezes a backbone's stages again

    @property
    def phase(self) -> str:
        return self._phase

    @phase.setter
    def phase(self, phase: str) -> None:
        if phase not in PHASES:
            raise ValueError(f'phase is {phase!r}; legal values: {", ".join(PHASES)}.')
        self._phase = phase

    @property
    def learnt(self) -> list[int]:
        return self.seen if self.phase == 'supervised' else list(range(self.num_classes))

    def train(self, mode: bool = True) -> 'SelfTrainedMAFT':
        """Of the two, the generator alone is ever in training mode."""
        super().train(mode)
        self.generator.train(mode and 'generator' in self.retrain)
        return self

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Losses of the stages that train; besides, the share of pixels that the model labelled.

        Raises:
            ValueError: a label that is no class, or of an unseen one ("ground-truth leak").
        """
        given = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
        names = self.vocabulary.classes
        check_labels(given, names, self.unseen, self.ignored, 'transductive')
        labels = given
        if self.phase == 'self':
            labels = self.completed(given, inputs, data_samples)
            data_samples = relabelled(data_samples, labels)
        losses = {}
        if 'classifier' in self.retrain:
            losses |= super().loss(inputs, data_samples)
        if 'generator' in self.retrain:
            targets = self.targets(data_samples, things=False)  # a map has no things
            losses |= self.generator_loss(inputs, data_samples, targets)
        return losses | dict(labelled_by_self=(labels != given).float().mean())

    @torch.no_grad()
    def completed(self, given: Tensor, inputs: Tensor, data_samples: list) -> Tensor:
        """Labels (B, H, W): those given, and the best unseen class where there is none. The softmax
        over all classes, of which ZSSeg sets the seen ones to 0, changes no order of the others."""
        if not (given == UNLABELLED).any():
            return given
        mode = self.generator.training
        self.generator.eval()
        maps = self.fused(inputs, data_samples, of_photos=False)
        self.generator.train(mode)
        out = []
        unseen = torch.tensor(self.unseen, device=given.device)
        for labels, (scores, masks) in zip(given, maps, strict=True):
            best, row = semantic_scores(scores[:, unseen], masks).max(dim=0)
            made = unseen[row].where(best > 0, self.ignored)
            out.append(made.where(labels == UNLABELLED, labels))
        return torch.stack(out)
