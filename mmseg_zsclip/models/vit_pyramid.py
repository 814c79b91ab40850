"""Four maps of one stride become a pyramid, as DenseCLIP makes one of CLIP's ViT."""

from collections.abc import Sequence

from mmseg.models.necks import Feature2Pyramid
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class NormedPyramid(Feature2Pyramid):
    """mmseg's `Feature2Pyramid` behind a norm of each map, over all of its values.

    From four maps (B, embed_dim, h, w) of stride 16: maps of strides 4, 8, 16 and 32.

    Args:
        embed_dim: channels of every map.
        norm_cfg: of the norm between the two steps to stride 4.
    """

    def __init__(self, embed_dim: int, norm_cfg: dict | None = None) -> None:
        super().__init__(embed_dim, norm_cfg=norm_cfg or dict(type='SyncBN'))
        self.norms = nn.ModuleList(nn.GroupNorm(1, embed_dim) for _ in self.rescales)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if len(inputs) != len(self.norms):
            raise ValueError(
                f'the backbone gives {len(inputs)} maps; a pyramid is made of {len(self.norms)}. '
                'Choose four blocks by its out_indices.'
            )
        return super().forward([norm(x) for norm, x in zip(self.norms, inputs, strict=True)])
