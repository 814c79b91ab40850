"""MAFT: Learning Mask-aware CLIP Representations for Zero-Shot Segmentation (Jiao et al.,
NeurIPS 2023).

IP-CLIP is fine-tuned for a few steps, so that its scores of a proposal follow the proposal's IoU,
and stays CLIP for whole images. Differs from the released code:
- Self-distillation has weight 1, as the paper says; the release has 0.1.
- The classes of the softmax in training are the seen ones, without a row of no object:
  the same there.
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..registry import MODELS
from .encoders import WithTeacher, freeze
from .ip_clip import IPCLIP
from .two_stage import TwoStageSegmentor

# The units of table 4d, as patterns of the tensors' names in a tower; ln_pre is the release's.
VIT_UNITS = dict(
    conv=r'conv1\.',
    class_token=r'class_embedding$',
    positions=r'positional_embedding$',
    ln_pre=r'ln_pre\.',
    mlp=r'transformer\.resblocks\.\d+\.mlp\.',
    proj=r'proj$',
)
RESNET_UNITS = dict(
    conv=r'(?!attnpool\.)', positions=r'attnpool\.positional_embedding$', proj=r'attnpool\.c_proj\.'
)


def train_all_but(visual: nn.Module, frozen: Sequence[str] | None = None) -> list[str]:
    """Choose what of a tower trains (table 4d).

    Args:
        visual: a ViT or a ModifiedResNet.
        frozen: units that do not train; all if left out, which leaves attention and layer norms of
            the blocks and ln_post of a ViT, and queries, keys and values of a ResNet.

    Returns:
        The names of the tensors that train.

    Raises:
        ValueError: a unit that the tower does not have.
    """
    units = RESNET_UNITS if hasattr(visual, 'attnpool') else VIT_UNITS
    frozen = list(units) if frozen is None else list(frozen)
    unknown = [unit for unit in frozen if unit not in units]
    if unknown:
        raise ValueError(
            f'frozen has {unknown}; legal units of a {type(visual).__name__}: {", ".join(units)}.'
        )
    patterns = [units[unit] for unit in frozen]
    trained = []
    for name, parameter in visual.named_parameters():
        parameter.requires_grad_(not any(re.match(pattern, name) for pattern in patterns))
        if parameter.requires_grad:
            trained.append(name)
    return trained


@MODELS.register_module()
class MAFT(WithTeacher, TwoStageSegmentor):
    """A two-stage model whose IP-CLIP trains, and nothing else.

    Args:
        frozen: units of CLIP that do not train, see `train_all_but`.
        mask_loss: config of the mask-aware loss, `MaskAwareLoss()` by default.
        distillation: config of the self-distillation loss, `SelfDistillationLoss()` by default.
            With `loss_weight=0` there is no teacher.
        Others: see `TwoStageSegmentor`; the classifier is `IPCLIPViT` or `IPCLIPResNet`.

    Raises:
        TypeError: another classifier.
        ValueError: a generator that knows whole photos alone.
    """

    def __init__(
        self,
        frozen: Sequence[str] | None = None,
        mask_loss: dict | None = None,
        distillation: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.check_trainable(IPCLIP)
        freeze(self.generator)
        self.trained = train_all_but(self.classifier.visual, frozen)
        self.mask_loss = MODELS.build(mask_loss or dict(type='mmseg_zsclip.MaskAwareLoss'))
        self.distillation = MODELS.build(
            distillation or dict(type='mmseg_zsclip.SelfDistillationLoss')
        )
        self.keep_teacher(None)
        if self.distillation.loss_weight:
            self.keep_teacher(MODELS.build(kwargs['classifier']).eval())
            freeze(self.teacher)

    def init_weights(self) -> None:
        super().init_weights()
        if self.teacher is None:
            return
        if self.teacher.weights is None:  # a random CLIP is the student's own beginning
            self.teacher.load_state_dict(self.classifier.state_dict())
        self.teacher.init_weights()

    def train(self, mode: bool = True) -> 'MAFT':
        """The generator stays in evaluation mode too."""
        super().train(mode)
        self.generator.eval()
        return self

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Mask-aware and self-distillation loss of a batch.

        Raises:
            ValueError: a label that is no class, or of an unseen one ("ground-truth leak").
        """
        text = self.vocabulary()[self.learnt]
        targets = self.targets(data_samples, things=False)  # IoU is that with a whole class
        with torch.no_grad():
            proposals, kept = self.propose(inputs, data_samples, of_photos=False, text=text)
        masks = [one.masks for one in proposals]
        if self.teacher is None:
            rows = self.classifier(inputs, masks, kept)
        else:
            rows, image = self.classifier(inputs, masks, kept, with_image=True)
        losses = dict(
            loss_mask_aware=self.mask_loss(
                [self.logits(one, text) for one in rows], masks, *zip(*targets, strict=True)
            )
        )
        if self.teacher is not None:
            with torch.no_grad():
                wanted = self.teacher.image_embeddings(inputs)
            losses['loss_distillation'] = self.distillation(
                self.logits(image, text), self.logits(wanted, text)
            )
        return losses
