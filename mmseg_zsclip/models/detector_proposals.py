"""Instance segmentation of mmdet as a proposal generator: Mask R-CNN of one class, an object.

Source: MasQCLIP, section 5.2, "we adopt the confidence scores of the RPN head as object scores".
"""

from collections.abc import Mapping, Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS as ROOT
from mmengine.structures import InstanceData
from torch import Tensor

from ..registry import MODELS
from .mask_ops import mask_boxes
from .proposals import Proposals, mmdet_shapes
from .stage_one import TrainedGenerator

SCORES = ('box', 'rpn')


@MODELS.register_module()
class DetectorProposals(TrainedGenerator):
    """The masks that a detector finds, its scores as those of an object.

    With `object_score='rpn'`, MasQCLIP's, the box head moves the regions of the RPN and scores
    none: a mask has the score of the region that it came from.

    Args:
        detector: a detector of mmdet with a mask head whose heads have num_classes=1.
        object_score: 'box', the detector's own, or 'rpn', of detectors of two stages.
        statistics: mean and std of [0, 255] RGB images that it wants; None takes what the
            data_preprocessor makes.
        checkpoint: of stage 1, see `TrainedGenerator`.

    Raises:
        ValueError: an unknown `object_score`, or 'rpn' with a detector that is no Mask R-CNN of one
            class; by the first image, a detector of several classes or without masks.
    """

    def __init__(
        self,
        detector: dict,
        object_score: str = 'box',
        statistics: Sequence | None = None,
        checkpoint: str | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(checkpoint, init_cfg)
        import mmdet.models  # noqa: F401, with it detectors are found by name

        self.detector = ROOT.build(ConfigDict(detector, _scope_='mmdet'))
        self.object_score = object_score
        self.statistics = statistics
        if object_score not in SCORES:
            raise ValueError(
                f'object_score is {object_score!r}; legal values: {", ".join(SCORES)}.'
            )
        d = self.detector
        if object_score == 'rpn' and not (
            getattr(d, 'with_rpn', False) and d.with_mask and d.roi_head.bbox_head.num_classes == 1
        ):
            raise ValueError(
                f"object_score is 'rpn', but {type(d).__name__} lacks an RPN, a mask head or "
                "num_classes=1. Take object_score='box', or a mmdet.MaskRCNN of one class."
            )

    def samples(self, img: Tensor, metas: Sequence[Mapping]) -> list:
        """Samples of mmdet, whose images are those that the model gets without padding."""
        from mmdet.structures import DetDataSample

        size, out = tuple(map(int, img.shape[2:])), []
        for meta in metas:
            shapes = mmdet_shapes(meta, size)
            out.append(
                DetDataSample(
                    metainfo=dict(
                        shapes,
                        ori_shape=shapes['img_shape'],
                        pad_shape=size,
                        scale_factor=(1.0, 1.0),
                    )
                )
            )
        return out

    def scored_by_rpn(self, img: Tensor, samples: list) -> list[InstanceData]:
        """As the detector's `predict` has them, with the scores of the regions."""
        from mmcv.ops import batched_nms
        from mmdet.structures.bbox import bbox2roi

        detector, metas = self.detector, [sample.metainfo for sample in samples]
        options, head = detector.roi_head.test_cfg, detector.roi_head.bbox_head
        features = detector.extract_feat(img)
        regions = detector.rpn_head.predict(features, samples, rescale=False)
        rois = bbox2roi([one.bboxes for one in regions])
        out, counts = detector.roi_head._bbox_forward(features, rois), list(map(len, regions))
        parts = (out[key].split(counts) for key in ('cls_score', 'bbox_pred'))
        moved = head.predict_by_feat(rois.split(counts), *parts, metas)  # of all, without NMS
        found = []
        for one, region in zip(moved, regions, strict=True):
            kept = torch.arange(len(region), device=img.device)
            labels = torch.zeros_like(kept)
            if len(region):  # mmcv's NMS asks for a box
                _, kept = batched_nms(one.bboxes, region.scores, labels, options.nms)
                kept = kept[: options.max_per_img]
            found.append(
                InstanceData(
                    bboxes=one.bboxes[kept], scores=region.scores[kept], labels=labels[kept]
                )
            )
        return detector.roi_head.predict_mask(features, metas, found)

    def found(self, img: Tensor, samples: list) -> list[InstanceData]:
        """Of each image `masks` (P, h, w), `scores` and `labels`."""
        if self.object_score == 'rpn':
            return self.scored_by_rpn(img, samples)
        return [one.pred_instances for one in self.detector.predict(img, samples, rescale=False)]

    def forward(
        self,
        img: Tensor,
        metas: Sequence[Mapping],
        text: Tensor,
        labels: Sequence[Tensor] | None = None,
    ) -> list[Proposals]:
        proposals = []
        for found in self.found(img, self.samples(img, metas)):
            if 'masks' not in found or found.labels.any():
                raise ValueError(
                    f'{type(self.detector).__name__} gives '
                    + ('labels of several classes' if 'masks' in found else 'boxes without masks')
                    + '; a generator has a mask head and one class: num_classes=1.'
                )
            masks = img.new_zeros(len(found), *img.shape[2:])
            masks[:, : found.masks.shape[1], : found.masks.shape[2]] = found.masks.to(img)
            proposals.append(Proposals(masks, found.scores.to(img)))
        return proposals

    def loss(
        self,
        img: Tensor,
        metas: Sequence[Mapping],
        text: Tensor,
        targets: Sequence[tuple[Tensor, Tensor]],
    ) -> dict:
        """The detector's losses on masks (K, H, W) bool of each image, all of the one class."""
        from mmdet.structures.mask import BitmapMasks

        samples = self.samples(img, metas)
        for sample, (masks, classes) in zip(samples, targets, strict=True):
            sample.gt_instances = InstanceData(
                bboxes=mask_boxes(masks).to(img),
                labels=torch.zeros_like(classes),
                masks=BitmapMasks(masks.byte().cpu().numpy(), *img.shape[2:]),
            )
        return self.detector.loss(img, samples)
