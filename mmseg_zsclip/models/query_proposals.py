"""Mask2Former and MaskFormer as proposal generators, on mmdet's heads: class-agnostic,
or with text.

Source: MAFT, section 3; FreeSeg and ZegFormer for the text.
See `given_proposals` for what a generator is.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import MODELS as ROOT
from mmengine.structures import InstanceData
from mmseg.structures import SegDataSample
from torch import Tensor

from ..registry import MODELS
from .encoders import freeze
from .free_seg import InteractingPixelDecoder, TextClassifier, TextInteraction
from .proposals import Proposals, mmdet_shapes
from .stage_one import TrainedGenerator
from .vocabulary import check_one_clip


@MODELS.register_module()
class QueryProposals(TrainedGenerator):
    """The queries of a mask transformer, each a proposal.

    Without `text` a query is an object or none: `object_scores`. With it its scores are those of
    the vocabulary's text, A_p, no object left out.

    Args:
        backbone: gives the maps that the head wants.
        head: `mmdet.Mask2FormerHead`, `mmdet.MaskFormerHead` or `mmseg_zsclip.WholeMaskHead`, the
            first with the losses of the second; with num_things_classes=1, num_stuff_classes=0.
            The weight of no object is the last `class_weight` of its loss_cls.
        text: options of `TextClassifier`, of which `text_dim` is one; None is class-agnostic.
        interaction: options of `TextInteraction`, FreeSeg's; None has none.
        statistics: mean and std of [0, 255] RGB images that the backbone wants; None takes what the
            data_preprocessor makes.
        align_corners: of the masks' resizing to the image, True as released.
        checkpoint: of stage 1, see `TrainedGenerator`.
        frozen: do not train it; with frozen CLIP nothing of a `TwoStageSegmentor` trains.

    Raises:
        ValueError: a head of several classes; an interaction without text.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        text: dict | None = None,
        interaction: dict | None = None,
        statistics: Sequence | None = None,
        align_corners: bool = False,
        checkpoint: str | None = None,
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(checkpoint, init_cfg)
        from mmdet.models.layers import PixelDecoder

        from . import whole_mask_head  # noqa: F401, with mmdet it is not at hand before

        self.backbone, self.head = (  # ConfigDict: mmdet reads keys as attributes
            ROOT.build(ConfigDict(part, _scope_='mmdet')) for part in (backbone, head)
        )
        if self.head.num_classes != 1:
            raise ValueError(
                f'the head has {self.head.num_classes} classes; a generator has one, an '
                'object: num_things_classes=1, num_stuff_classes=0. With `text` the '
                'classes come from the vocabulary.'
            )
        if interaction is not None and (
            text is None or isinstance(self.head.pixel_decoder, PixelDecoder)
        ):
            raise ValueError(
                'interaction needs `text`, the classifier whose embeddings it meets, and '
                'a head with several maps, mmdet.Mask2FormerHead.'
            )
        if text is not None:
            self.head.cls_embed = TextClassifier(**text)
        if interaction is not None:
            self.head.pixel_decoder = InteractingPixelDecoder(
                self.head.pixel_decoder, TextInteraction(**interaction)
            )
        self.no_object_weight = self.head.class_weight[-1]
        self.statistics = statistics
        self.align_corners = align_corners
        if frozen:
            freeze(self)

    @property
    def knows_text(self) -> bool:
        return isinstance(self.head.cls_embed, TextClassifier)

    def meet(self, text: Tensor) -> None:
        """Hand text embeddings (C, d) or (C, S, d) to the parts that read them;
        classes are theirs from now on."""
        if not self.knows_text:
            return
        head, classes = self.head, len(text)
        check_one_clip(head.cls_embed.layers[-1].out_features, text.shape[-1])
        head.cls_embed.meet(text)
        if isinstance(head.pixel_decoder, InteractingPixelDecoder):
            head.pixel_decoder.meet(head.cls_embed.names())
        head.num_classes = classes
        head.class_weight = head.loss_cls.class_weight = [1.0] * classes + [self.no_object_weight]

    def outputs(self, img: Tensor, metas: Sequence[Mapping], text: Tensor) -> tuple:
        """Logits of classes and of masks after every layer, as mmdet's; and samples as it wants."""
        self.meet(text)
        size = tuple(map(int, img.shape[2:]))  # torch.jit.trace gives tensors
        samples = [SegDataSample(metainfo={**meta, **mmdet_shapes(meta, size)}) for meta in metas]
        return (*self.head(self.backbone(img), samples), samples)

    def forward(
        self,
        img: Tensor,
        metas: Sequence[Mapping],
        text: Tensor,
        labels: Sequence[Tensor] | None = None,
    ) -> list[Proposals]:
        logits, masks, _ = self.outputs(img, metas, text)
        scores = logits[-1].float().softmax(dim=-1)[..., :-1]
        masks = F.interpolate(
            masks[-1].float(),
            tuple(img.shape[2:]),
            mode='bilinear',
            align_corners=self.align_corners,
        ).sigmoid()
        if self.knows_text:
            return [
                Proposals(one, one.new_ones(len(one)), row)
                for one, row in zip(masks, scores, strict=True)
            ]
        return [Proposals(one, row[:, 0]) for one, row in zip(masks, scores, strict=True)]

    def loss(
        self,
        img: Tensor,
        metas: Sequence[Mapping],
        text: Tensor,
        targets: Sequence[tuple[Tensor, Tensor]],
    ) -> dict[str, Tensor]:
        """mmdet's losses after every layer.

        Args:
            text: (S, d) embeddings of the seen classes.
            targets: of each image masks (K, H, W) bool and, (K,),
                which of those classes each is of.
        """
        logits, masks, samples = self.outputs(img, metas, text)
        truth = [
            InstanceData(
                masks=maps.long(),
                labels=(classes if self.knows_text else torch.zeros_like(classes)),
            )
            for maps, classes in targets
        ]
        return self.head.loss_by_feat(logits, masks, truth, [sample.metainfo for sample in samples])
