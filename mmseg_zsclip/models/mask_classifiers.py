"""Classifiers of mask proposals beside IP-CLIP: frozen CLIP on sub-images,
and pooled dense features.

A mask classifier turns the proposals of a batch into embeddings in the joint image-text space,

    classifier(images, masks, kept) -> of each image (P_i, d), not normalised

for images (B, 3, H, W) normalised with CLIP's statistics, masks (P_i, H, W) in [0, 1] of each, and
`kept`, the rows and columns of each image that are no padding. It knows no vocabulary.
"""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ..clip.archs import CLIPArch
from ..registry import MODELS
from .encoders import FrozenTower
from .mask_ops import SUB_IMAGES, pool_by_masks, sub_images

FILLS = ('mean', 'zero')
Kept = tuple[slice, slice]


@MODELS.register_module()
class SubImageCLIP(FrozenTower):
    """Frozen CLIP on a picture of each proposal (MAFT, section 3 and appendix A).

    Args:
        arch, weights: see `CLIPBackbone`; any tower. Pictures have its own image size.
        mode: 'mask', 'crop' or 'mask+crop', which is the best of them in ZegFormer's experiments.
        fill: colour of what is outside a mask, 'mean' or 'zero' (black).
        picture_batch: pictures a forward pass.

    Raises:
        ValueError: unknown mode or fill, or no picture a pass.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'ViT-B-16',
        weights: str | None = None,
        mode: str = 'mask+crop',
        fill: str = 'mean',
        picture_batch: int = 32,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, weights, init_cfg)
        for name, value, legal in (('mode', mode, SUB_IMAGES), ('fill', fill, FILLS)):
            if value not in legal:
                raise ValueError(
                    f'{name} of the sub-images is {value!r}; legal values: {", ".join(legal)}.'
                )
        if picture_batch < 1:
            raise ValueError(f'picture_batch is {picture_batch}; it must be at least 1.')
        self.mode = mode
        self.fill = fill
        self.picture_batch = picture_batch

    @property
    def fill_colour(self) -> Tensor:
        """(3,), normalised."""
        return torch.zeros(3) if self.fill == 'mean' else self.black

    @torch.no_grad()
    def forward(self, img: Tensor, masks: Sequence[Tensor], kept: Sequence[Kept]) -> list[Tensor]:
        """Of each image (P_i, d); zeros for a proposal that covers no pixel."""
        self.check_filled()
        out = []
        for one, proposals, (rows, columns) in zip(img, masks, kept, strict=True):
            one, proposals = one[:, rows, columns], proposals[:, rows, columns]
            embeddings = one.new_zeros(len(proposals), self.arch.embed_dim)
            for place in torch.arange(len(proposals), device=one.device).split(self.picture_batch):
                pictures, valid = sub_images(
                    one, proposals[place], self.arch.image_size, self.mode, self.fill_colour
                )
                if len(pictures):
                    embeddings[place[valid]] = self.visual(pictures).to(embeddings)
            out.append(embeddings)
        return out


@MODELS.register_module()
class MaskPooling(BaseModule):
    """The mean over a proposal of dense features, nothing trained.

    Args:
        backbone: its first output is (B, d, h, w) in the joint image-text space, as `MaskCLIPViT`'s
            and `MaskCLIPResNet`'s.
    """

    def __init__(self, backbone: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)

    @property
    def statistics(self) -> tuple | None:
        """Mean and std of [0, 1] RGB images that the backbone wants, where they are known."""
        return getattr(self.backbone, 'statistics', None)

    def forward(self, img: Tensor, masks: Sequence[Tensor], kept: Sequence[Kept]) -> list[Tensor]:
        """Of each image (P_i, d); zeros for an empty proposal."""
        features = self.backbone(img)[0]
        return [pool_by_masks(*pair) for pair in zip(features, masks, strict=True)]
