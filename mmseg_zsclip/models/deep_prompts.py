"""CLIP's ViT with learnable tokens in its blocks: ZegCLIP's backbone (section 3.3).

Differs from the released code:
- The learnt CLS token enters once (`cls_added_twice=False`) and positions are resized bicubically
  (`position_mode='bicubic'`); the release adds it twice and resizes bilinearly, once and for all
  (`image_size=512`).
- Prompts are keys and values alone: Eq. 3 discards their outputs, so that no attention, projection
  or MLP of theirs is computed.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..clip.archs import CLIPArch
from ..clip.vit import resize_positions
from ..registry import MODELS
from .encoders import CLIPBackbone, check_indices, freeze


def prompted_blocks(choice: str | Sequence[int], count: int) -> list[int]:
    """'all', 'first:n', 'last:n', 'shallow' or block indices -> indices, ascending.

    Raises:
        ValueError: anything else, no block, or one outside the `count` blocks.
    """
    if not isinstance(choice, str | int):
        return sorted(set(check_indices(choice, count, 'blocks', 'prompt_blocks')))
    named = {'all': f'first:{count}', 'shallow': 'first:1'}
    where, _, number = str(named.get(choice, choice)).partition(':')
    if where not in ('first', 'last') or not number.isdigit() or not 1 <= int(number) <= count:
        raise ValueError(
            f"prompt_blocks is {choice!r}; legal values: 'all', 'first:n', 'last:n' "
            f"with n from 1 to {count}, 'shallow', or a list of block indices."
        )
    blocks = list(range(count))
    return blocks[: int(number)] if where == 'first' else blocks[-int(number) :]


@MODELS.register_module()
class DeepPromptedViT(CLIPBackbone):
    """CLIP ViT, adapted by learnable tokens in its blocks (section 3.3, Eq. 3).

    The three rows of table 5: frozen, with prompts (DPT, the default); frozen, `num_prompts=0`
    (Baseline-Fix); all of it trained, `num_prompts=0, finetune=True` (Baseline-FT). A tower without
    prompts is plain CLIP: what the release adds for prompts (a projection, a norm) goes with them.

    Args:
        arch, weights: see `CLIPBackbone`.
        num_prompts: tokens per block, 10 for VOC and 100 for COCO-Stuff in the paper; 0 for none.
        prompt_blocks: which blocks get their own: 'all', 'first:n', 'last:n' or indices. 'shallow'
            adds them to the first block's input and lets them travel to the last, as VPT-shallow.
        finetune: train the tower too. Its learning rate is `paramwise_cfg`'s.
        dropout: of the projected prompts while training.
        position_mode: 'bicubic', or 'bilinear' as in the released code.
        cls_added_twice: add the learnt CLS token a second time, as the released
            code does; its weights need it.
        with_cp: while training, keep only what goes into each block and compute the rest again in
            the backward pass: less memory, the time of another forward, the same gradients.
        image_size: pixels on a side for which positions are kept; CLIP's own if left out. The
            release resizes them to 512 x 512 before training, for good: its weights need it.
        out_indices: blocks whose patch tokens are returned in place of the patch embeddings, for a
            head with `use_stages`.

    Returns (forward):
        patch embeddings (B, d, h, w), or a map (B, D, h, w) of tokens for each of `out_indices`;
        and the image embedding (B, d). Embeddings are L2-normalised over d.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'ViT-B-16',
        weights: str | None = None,
        num_prompts: int = 10,
        prompt_blocks: str | Sequence[int] = 'all',
        finetune: bool = False,
        dropout: float = 0.1,
        position_mode: str = 'bicubic',
        cls_added_twice: bool = False,
        with_cp: bool = False,
        image_size: int | None = None,
        out_indices: Sequence[int] = (),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, weights, init_cfg, image_size)
        if self.arch.is_resnet:
            raise ValueError(
                f'{self.arch.name!r} is a ResNet and has no tokens to prompt; use a ViT-* name.'
            )
        if num_prompts < 0:
            raise ValueError(
                f'num_prompts is {num_prompts}; give the tokens per block, or 0 for a '
                'tower without prompts.'
            )
        if not num_prompts and prompt_blocks != 'all':
            raise ValueError(
                f'prompt_blocks is {prompt_blocks!r}, but num_prompts is 0: there is '
                'nothing to put there. Give num_prompts, or leave prompt_blocks out.'
            )
        if image_size is not None and (image_size <= 0 or image_size % self.arch.patch_size):
            raise ValueError(
                f'image_size is {image_size}; give a multiple of the patch size, '
                f'{self.arch.patch_size}.'
            )
        self.position_mode = position_mode
        self.cls_added_twice = cls_added_twice
        self.with_cp = with_cp
        self.num_prompts = num_prompts
        count = len(self.visual.blocks)
        self.out_indices = out_indices and check_indices(out_indices, count, 'blocks')
        self.shallow = prompt_blocks == 'shallow'
        self.prompt_blocks = prompted_blocks(prompt_blocks, count)
        if not finetune:
            freeze(self.visual)
        if num_prompts:
            self.add_prompts(dropout)

    def add_prompts(self, dropout: float) -> None:
        width, patch = self.arch.vision_width, self.arch.patch_size
        bound = math.sqrt(6 / (3 * patch**2 + width))
        self.prompts = nn.Parameter(
            torch.empty(len(self.prompt_blocks), self.num_prompts, width).uniform_(-bound, bound)
        )
        self.prompt_proj = nn.Linear(width, width)
        self.prompt_dropout = nn.Dropout(dropout)
        self.prompt_norm = nn.LayerNorm(width, eps=1e-6)
        nn.init.kaiming_normal_(self.prompt_proj.weight, a=0, mode='fan_out')
        nn.init.zeros_(self.prompt_proj.bias)

    def load_tower(self, state: dict[str, Tensor]) -> None:
        side = self.visual.image_size // self.arch.patch_size
        super().load_tower(
            state
            | dict(
                positional_embedding=resize_positions(
                    state['positional_embedding'], (side, side), self.position_mode
                )
            )
        )

    def embed(self, img: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Image -> CLS token and patches (B, 1 + h * w, D) before the first block; (h, w)."""
        v = self.visual
        x, grid = v.patchify(img)
        cls = v.class_embedding * (2 if self.cls_added_twice else 1)
        return v.assemble(x, v.positions(grid, self.position_mode), cls), grid

    def step(self, block: nn.Module, x: Tensor, prompts: Tensor | None = None) -> Tensor:
        """A block over tokens (B, N, D), and over prompts (M, D) where it has its own."""
        run, inputs = block, (x,)
        if prompts is not None:  # they answer no query: their outputs are discarded (Eq. 3)
            run, inputs = block.cross, (x, [x, prompts])
        if self.with_cp and self.training:
            return checkpoint(run, *inputs, use_reentrant=False)
        return run(*inputs)

    def encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Tokens (B, N, D) through the blocks and their prompts; and those of `out_indices`."""
        count, at, kept = x.shape[1], {}, []
        if self.num_prompts:
            prompts = self.prompt_dropout(self.prompt_proj(self.prompts)).to(x.dtype)
            if self.shallow:
                x = torch.cat([x, prompts.expand(x.shape[0], -1, -1)], dim=1)
            else:
                at = dict(zip(self.prompt_blocks, prompts, strict=True))
        for i, block in enumerate(self.visual.blocks):
            x = self.step(block, x, at.get(i))
            if i in self.out_indices:
                kept.append(x[:, 1:count])
        return self.prompt_norm(x[:, :count]) if self.num_prompts else x, kept

    def forward(self, img: Tensor) -> tuple[Tensor, ...]:
        self.check_filled()
        x, grid = self.embed(img)
        x, kept = self.encode(x)
        if kept:
            x = x[:, :1]  # of the last block, the CLS token alone
        joint = F.normalize(self.visual.project(x).float(), dim=-1)
        maps = (one.transpose(1, 2).unflatten(2, grid) for one in kept or [joint[:, 1:]])
        return *maps, joint[:, 0]
