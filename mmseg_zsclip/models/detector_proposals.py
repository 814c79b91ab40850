"""Instance segmentation of mmdet as a proposal generator: Mask R-CNN of one class, an object."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from mmengine.registry import MODELS as ROOT
from mmengine.structures import InstanceData
from torch import Tensor

from ..registry import MODELS
from .mask_ops import mask_boxes
from .proposals import Proposals, mmdet_shapes


@MODELS.register_module()
class DetectorProposals(BaseModule):
    """The masks that a detector finds, its scores as those of an object.

    Args:
        detector: a detector of mmdet with a mask head whose heads have num_classes=1.
        statistics: mean and std of [0, 255] RGB images that it wants; None takes what the
            data_preprocessor makes.

    Raises:
        ValueError: by the first image, a detector of several classes or without masks.
    """

    needs_labels = False

    def __init__(
        self, detector: dict, statistics: Sequence | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        import mmdet.models  # noqa: F401, with it detectors are found by name

        self.detector = ROOT.build(ConfigDict(detector, _scope_='mmdet'))
        self.statistics = statistics

    def samples(self, img: Tensor, metas: Sequence[Mapping]) -> list:
        """Samples of mmdet, whose images are those that the model gets without padding."""
        from mmdet.structures import DetDataSample

        size, out = tuple(img.shape[2:]), []
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

    def forward(
        self,
        img: Tensor,
        metas: Sequence[Mapping],
        text: Tensor,
        labels: Sequence[Tensor] | None = None,
    ) -> list[Proposals]:
        proposals = []
        for one in self.detector.predict(img, self.samples(img, metas), rescale=False):
            found = one.pred_instances
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
