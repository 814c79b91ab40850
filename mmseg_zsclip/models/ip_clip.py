"""IP-CLIP: one pass of CLIP's image tower for an image and all of its mask proposals (MAFT,
section 4.1).

From block S on there is a copy of the CLS token for each proposal. It attends to itself and to the
patches that its proposal covers (Eq. 2, 3); patches attend to patches alone (Eq. 4). Differs from
the released code:
- Any number of proposals, a different one for each image, and any grid; the release needs 100 and a
  square. A ResNet CLIP too, whose attention pool is masked in the same way.
- S is two thirds of the depth; the release has 8 whatever the depth.
- Positions are resized as everywhere in this package; the release's with `align_corners=True`
  (`released_positions=True`).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..clip.archs import CLIPArch
from ..clip.vit import ResidualAttentionBlock
from ..registry import MODELS
from .encoders import CLIPBackbone
from .mask_ops import visible_patches
from .proposals import padded

AT_ONCE = (
    128  # proposals whose attention is in memory together, so that it grows with P and not P * P
)


def visible_to_copies(visible: Tensor) -> Tensor:
    """What a copy of the CLS token may attend to (Eq. 2).

    Args:
        visible: (B, P, N) bool, the patches that a proposal covers.

    Returns:
        (B, 1, P, P + N) bool: of the P copies itself alone, then its patches.
    """
    itself = torch.eye(visible.shape[1], dtype=torch.bool, device=visible.device)
    return torch.cat([itself.expand(visible.shape[0], -1, -1), visible], dim=2)[:, None]


def beside_patches(
    block: ResidualAttentionBlock,
    copies: Sequence[Tensor],
    masks: Sequence[Tensor],
    patches: Tensor,
    patches_go_on: bool = True,
) -> tuple[list[Tensor], Tensor]:
    """A block over copies of the CLS token, in parts (B, P_i, D) with masks of
    `visible_to_copies`, and over patches (B, N, D), whose keys and values are computed once for
    both. Without `patches_go_on` they come out as they went in."""

    def finished(x: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + block.attn.attend(*map(block.attn.split_heads, (q, k, v)), mask)
        return x + block.mlp(block.ln_2(x))

    *q, k, v = block.attn.inputs(block.ln_1(patches), 'qkv' if patches_go_on else 'kv')
    out = []
    for x, mask in zip(copies, masks, strict=True):
        own = block.attn.inputs(block.ln_1(x))
        keys, values = (torch.cat(pair, dim=1) for pair in zip(own[1:], (k, v), strict=True))
        out.append(finished(x, own[0], keys, values, mask))  # Eq. 3
    return out, finished(patches, *q, k, v) if patches_go_on else patches  # Eq. 4


class IPCLIP(CLIPBackbone):
    """What both towers share: the image's size, and proposals of a different number for each image.

    A subclass walks its tower by `start`, `of_proposals` and `of_image`.

    Args:
        arch, weights: see `CLIPBackbone`.
        clip_size: (h, w) in pixels, or one number for both, to which images are resized, their
            aspect not kept; 480 in the paper. None leaves them as they are.
        released_positions: resize positions with `align_corners=True`, as released.

    Raises:
        ValueError: a `clip_size` that is no size.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'ViT-B-16',
        weights: str | None = None,
        clip_size: int | Sequence[int] | None = 480,
        released_positions: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, weights, init_cfg)
        sizes = [clip_size] * 2 if isinstance(clip_size, int) else clip_size
        if sizes is not None and (
            not isinstance(sizes, Sequence)
            or len(sizes) != 2
            or not all(type(one) is int and one >= self.arch.stride for one in sizes)
        ):
            raise ValueError(
                f'clip_size is {clip_size!r}; legal values: pixels, at least one cell of '
                f'{self.arch.stride}, (h, w) of them, or None for those of the image.'
            )
        self.clip_size = sizes and tuple(sizes)
        self.released_positions = released_positions

    def resized(self, img: Tensor) -> Tensor:
        """Images (B, 3, H, W) at `clip_size`."""
        if self.clip_size is None or tuple(img.shape[-2:]) == self.clip_size:
            return img
        return F.interpolate(img, self.clip_size, mode='bilinear', align_corners=False)

    def image_embeddings(self, img: Tensor) -> Tensor:
        """What CLIP says of whole images, without proposals: (B, 3, H, W) -> (B, d)."""
        self.check_filled()
        return self.of_image(*self.start(self.resized(img)))

    def forward(
        self,
        img: Tensor,
        masks: Sequence[Tensor],
        kept: Sequence | None = None,
        with_image: bool = False,
    ) -> list[Tensor] | tuple[list[Tensor], Tensor]:
        """Embeddings of proposals, of each image (P_i, d), not normalised.

        Args:
            img: (B, 3, H, W), normalised with CLIP's statistics, padding and all.
            masks: of each image (P_i, H, W), probabilities in [0, 1]; P_i may be 0.
            kept: what is no padding, which every mask classifier is told and this one sees as well.
            with_image: also return `image_embeddings` (B, d); what lies below block S runs once.
        """
        self.check_filled()
        x, grid = self.start(self.resized(img))
        counts = list(map(len, masks))
        if any(counts):
            visible = padded([visible_patches(one, grid) for one in masks])
            rows = self.of_proposals(x, visible)
            out = [one[:count] for one, count in zip(rows, counts, strict=True)]
        else:
            out = [x.new_zeros(0, self.arch.embed_dim) for _ in counts]
        return (out, self.of_image(x, grid)) if with_image else out


@MODELS.register_module()
class IPCLIPViT(IPCLIP):
    """IP-CLIP on a ViT.

    Args:
        start_block: S, the first block with a copy of the CLS token for each proposal; two thirds
            of the depth if left out, 8 of 12.
        Others: see `IPCLIP`.

    Raises:
        ValueError: `start_block` outside the tower; a ResNet.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'ViT-B-16',
        weights: str | None = None,
        start_block: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(arch, weights, **kwargs)
        if self.arch.is_resnet:
            raise ValueError(f'{self.arch.name!r} is a ResNet; use IPCLIPResNet, or a ViT-* name.')
        depth = len(self.visual.blocks)
        self.start_block = depth * 2 // 3 if start_block is None else start_block
        if type(self.start_block) is not int or not 0 <= self.start_block < depth:
            raise ValueError(
                f'start_block is {start_block!r}; legal values: 0 to {depth - 1}, the '
                f'blocks of {self.arch.name}.'
            )

    def start(self, img: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Images -> input of block S, (B, 1 + N, D), and the grid (h, w): plain CLIP."""
        v = self.visual
        x, grid = v.patchify(img)
        x = v.assemble(x, v.positions(grid, align_corners=self.released_positions))
        for block in v.blocks[: self.start_block]:
            x = block(x)
        return x, grid

    def of_image(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """The rest of plain CLIP: input of block S -> (B, d)."""
        for block in self.visual.blocks[self.start_block :]:
            x = block(x)
        return self.visual.project(x[:, 0])

    def of_proposals(self, x: Tensor, visible: Tensor) -> Tensor:
        """Input of block S and the patches that proposals cover (B, P, N) -> (B, P, d)."""
        return self.of_masks(x, [visible_to_copies(part) for part in visible.split(AT_ONCE, 1)])

    def of_masks(self, x: Tensor, masks: Sequence[Tensor]) -> Tensor:
        """As `of_proposals`, of parts of the proposals, given as `visible_to_copies`."""
        copies = [x[:, :1].expand(-1, mask.shape[2], -1) for mask in masks]
        patches = x[:, 1:]
        *blocks, last = self.visual.blocks[self.start_block :]
        for block in blocks:
            copies, patches = beside_patches(block, copies, masks, patches)
        copies, _ = beside_patches(last, copies, masks, patches, patches_go_on=False)
        return self.visual.project(torch.cat(copies, dim=1))


@MODELS.register_module()
class IPCLIPResNet(IPCLIP):
    """IP-CLIP on a ModifiedResNet: a copy of the attention pool's mean token for each proposal.

    It attends to the mean token, that is itself, and to the cells that its proposal covers.
    """

    def __init__(self, arch: str | CLIPArch = 'RN50', weights: str | None = None, **kwargs) -> None:
        super().__init__(arch, weights, **kwargs)
        if not self.arch.is_resnet:
            raise ValueError(f'{self.arch.name!r} is a ViT; use IPCLIPViT, or a RN* name.')

    def start(self, img: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Images -> the last map (B, C, h, w), and its (h, w)."""
        x = self.visual.features(img)
        return x, tuple(x.shape[-2:])

    def of_image(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        return self.visual.attnpool(x)

    def of_proposals(self, x: Tensor, visible: Tensor) -> Tensor:
        """The last map and the cells that proposals cover (B, P, N) -> (B, P, d)."""
        pool = self.visual.attnpool
        q, k, v = pool.qkv(pool.embed(x))
        mask = torch.cat([torch.ones_like(visible[..., :1]), visible], dim=2)[:, None]
        return pool.attend(q[:, :, :1].expand(-1, -1, visible.shape[1], -1), k, v, mask)
