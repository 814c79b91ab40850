"""MaskCLIP+ (ECCV 2022, section 3.4): any segmentor, its classifier replaced by text embeddings.

The pseudo-labels are `self_training`'s; the teacher is MaskCLIP, or any segmentor of this package.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ..registry import MODELS
from ..vocabulary.labels import UNLABELLED, check_labels, legal_ignore
from ..vocabulary.lists import BACKGROUND
from .segmentor import relabelled
from .vocabulary import HasVocabulary, Vocabulary


class TextClassifier(BaseModule):
    """A linear map to the joint image-text space, and dot products with the classes' embeddings.

    Args:
        channels: of the head's features.
        vocabulary: text embeddings (C, d).
        learned_background: the class called 'background' has a learned embedding, not its name's.
    """

    def __init__(
        self, channels: int, vocabulary: Vocabulary, learned_background: bool = False
    ) -> None:
        super().__init__()
        dim = vocabulary.one_text()
        self.class_embeddings = vocabulary
        self.proj = nn.Conv2d(channels, dim, 1)
        self.background = None
        if learned_background:
            self.background_row()
            self.background = nn.Parameter(F.normalize(torch.randn(dim), dim=0))

    def background_row(self) -> int:
        names = self.class_embeddings.names
        if BACKGROUND not in names:
            raise ValueError(
                'learned_background needs a class to stand for, but none of the '
                f"{len(names)} classes is called 'background'. Add it, or leave "
                'learned_background out.'
            )
        return names.index(BACKGROUND)

    def text(self) -> Tensor:
        """(C, d) float32."""
        text = self.class_embeddings()
        if self.background is None:
            return text
        row = self.background_row()
        return torch.cat([text[:row], self.background[None], text[row + 1 :]])

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> logits (B, C, h, w), float32 under autocast too, so that losses
        and scores are."""
        return F.conv2d(self.proj(x), self.text()[:, :, None, None].to(x.dtype)).float()


@MODELS.register_module()
class TextHead(HasVocabulary, BaseModule):
    """A decode head of mmseg whose classifier is replaced by text embeddings (section 3.4).

    The vocabulary can then change at run time, as CLIP's.

    Args:
        head: config of the head, without `num_classes`. Any head of mmseg that classifies by its
            `conv_seg` will do: FCN, PSP, ASPP and its depthwise kind, UPer, SegFormer, ...
        classes: all classes, as in `Vocabulary`.
        text: `arch`, `weights` and `templates` of the text tower, see `Vocabulary`.
        unseen: names of the classes without labels, or a shipped split.
        learned_background: see `TextClassifier`.

    Raises:
        ValueError: a head that has no such classifier; unknown class names; "ground-truth leak"
            when a training label is an unseen class.
    """

    def __init__(
        self,
        head: dict,
        classes: str | Sequence[str],
        text: dict,
        unseen: str | Sequence[str] | None = None,
        learned_background: bool = False,
    ) -> None:
        super().__init__()
        vocabulary = Vocabulary(classes, **text, unseen=unseen, least=2)
        count = len(vocabulary.classes)
        ignored = legal_ignore(count, head.get('ignore_index'))
        self.head = MODELS.build({**head, 'num_classes': count, 'ignore_index': ignored})
        conv = getattr(self.head, 'conv_seg', None)
        if not hasattr(conv, 'in_channels'):
            raise ValueError(
                f'head is a {head["type"]}, which does not classify by a `conv_seg`; '
                'use one that does, e.g. FCNHead, PSPHead, DepthwiseSeparableASPPHead, '
                'UPerHead, SegformerHead or mmseg_zsclip.DeepLabV2Head.'
            )
        self.head.conv_seg = TextClassifier(conv.in_channels, vocabulary, learned_background)

    @property
    def class_embeddings(self) -> Vocabulary:
        return self.head.conv_seg.class_embeddings

    @property
    def align_corners(self) -> bool:
        return self.head.align_corners

    @property
    def num_classes(self) -> int:
        return self.head.num_classes

    @property
    def out_channels(self) -> int:
        return self.head.out_channels

    @property
    def ignore_index(self) -> int:
        return self.head.ignore_index

    def follow_vocabulary(self) -> None:
        self.head.num_classes = self.head.out_channels = len(self.vocabulary.classes)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Feature maps of the backbone -> logits (B, C, h, w)."""
        return self.head(inputs)

    def forward_with_features(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits as `forward`, and what met the text embeddings for them, (B, d, h, w)."""
        met = []
        handle = self.head.conv_seg.proj.register_forward_hook(lambda *args: met.append(args[2]))
        try:
            return self.head(inputs), met[-1]
        finally:
            handle.remove()

    def loss(self, inputs: Sequence[Tensor], batch_data_samples: list, train_cfg: dict) -> dict:
        """Losses by name; unlabelled pixels are ignored.

        Raises:
            ValueError: a label that is no class, or of an unseen class ("ground-truth leak").
        """
        labels = self.head._stack_batch_gt(batch_data_samples)
        check_labels(labels, self.vocabulary.classes, self.unseen, self.ignore_index, 'inductive')
        labels = labels.masked_fill(labels == UNLABELLED, self.ignore_index)
        samples = relabelled(batch_data_samples, labels.squeeze(1))
        return self.head.loss(inputs, samples, train_cfg)

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict:
        """As the head's own, for labels that `loss` or `SelfTrainedSegmentor` has checked."""
        return self.head.loss_by_feat(seg_logits, batch_data_samples)

    def predict(
        self, inputs: Sequence[Tensor], batch_img_metas: list[dict], test_cfg: dict
    ) -> Tensor:
        return self.head.predict(inputs, batch_img_metas, test_cfg)

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        return self.head.predict_by_feat(seg_logits, batch_img_metas)


@MODELS.register_module()
class DeepLabV2Head(BaseDecodeHead):
    """The sum of parallel dilated convolutions (DeepLabv2, Chen et al., TPAMI 2018, Fig. 7).

    Args:
        dilations: of the 3 x 3 convolutions, 6, 12, 18 and 24 in the paper (ASPP-L).
        Others: see mmseg's `BaseDecodeHead`. There is no non-linearity between the sum and the
            classifier, so with `channels` of at least the number of classes the two together are
            the paper's convolutions to the classes.
    """

    def __init__(self, dilations: Sequence[int] = (6, 12, 18, 24), **kwargs) -> None:
        super().__init__(**kwargs)
        self.branches = nn.ModuleList(
            nn.Conv2d(self.in_channels, self.channels, 3, padding=rate, dilation=rate)
            for rate in dilations
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        x = self._transform_inputs(inputs)
        return self.cls_seg(sum(branch(x) for branch in self.branches))
