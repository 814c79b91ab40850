"""Segment Anything as a proposal generator, through transformers (MAFT, section 5.4).

Differs from the released code: there is none. Binary masks of SAM's automatic mode, its predicted
IoU as the object's score. Any model of transformers' mask generation will do: SAM, SAM 2, SAM-HQ,
EdgeTAM.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseModule
from PIL import Image
from torch import Tensor

from ..registry import MODELS
from .proposals import Proposals
from .score_rows import kept_part


@MODELS.register_module()
class SAMProposals(BaseModule):
    """What SAM finds from a grid of points. Nothing of it trains, and none of it is in checkpoints.

    Args:
        model: name at the hub, read with the first image, or a folder.
        points_per_side: of the grid over the image.
        iou_thresh, stability_thresh: masks that SAM itself holds for worse are left out.
        nms_thresh: of the boxes' overlap, where the worse mask goes.
        points_batch: points a forward pass, at most.

    Raises:
        ValueError: a threshold outside [0, 1], or no point.
        ImportError: by the first image, transformers is not installed.
    """

    needs_labels = False
    statistics = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # it normalises pixels itself

    def __init__(
        self,
        model: str | Path = 'facebook/sam-vit-huge',
        points_per_side: int = 32,
        iou_thresh: float = 0.88,
        stability_thresh: float = 0.95,
        nms_thresh: float = 0.7,
        points_batch: int = 64,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, value in (
            ('iou_thresh', iou_thresh),
            ('stability_thresh', stability_thresh),
            ('nms_thresh', nms_thresh),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} is {value}; legal values: 0 to 1.')
        if min(points_per_side, points_batch) < 1:
            raise ValueError(
                f'points_per_side is {points_per_side} and points_batch {points_batch}; '
                'both must be at least 1.'
            )
        points = points_per_side**2
        # transformers finds the end of the points only where batches divide them
        points_batch = next(n for n in range(min(points_batch, points), 0, -1) if points % n == 0)
        self.model = str(model)
        self.options = dict(
            points_per_crop=points_per_side,
            points_per_batch=points_batch,
            pred_iou_thresh=iou_thresh,
            stability_score_thresh=stability_thresh,
            crops_nms_thresh=nms_thresh,
        )
        self.__dict__['pipeline'] = None  # not a submodule

    def loaded(self, device: torch.device):
        """transformers' pipeline, read once, on a device."""
        if self.pipeline is None or self.pipeline.device != device:
            try:
                from transformers import pipeline
            except ModuleNotFoundError as error:
                raise ImportError(
                    'SAMProposals needs transformers: pip install transformers'
                ) from error
            self.__dict__['pipeline'] = pipeline('mask-generation', model=self.model, device=device)
        return self.pipeline

    @torch.no_grad()
    def forward(
        self,
        img: Tensor,
        metas: Sequence[Mapping],
        text: Tensor,
        labels: Sequence[Tensor] | None = None,
    ) -> list[Proposals]:
        """Of images (B, 3, H, W), RGB in [0, 255]."""
        segment, size = self.loaded(img.device), tuple(img.shape[2:])
        proposals = []
        for one, meta in zip(img, metas, strict=True):
            rows, columns, _ = kept_part(meta, size)
            pixels = one[:, rows, columns].round().clamp(0, 255).byte().permute(1, 2, 0)
            found = segment(Image.fromarray(pixels.cpu().numpy()), **self.options)
            masks = img.new_zeros(len(found['masks']), *size)
            for mask, given in zip(masks, found['masks'], strict=True):
                mask[rows, columns] = torch.as_tensor(np.asarray(given)).to(img)
            proposals.append(Proposals(masks, found['scores'].to(img).clamp(0, 1)))
        return proposals
