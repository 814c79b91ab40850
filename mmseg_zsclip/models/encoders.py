"""CLIP's image towers as backbones of MMSegmentation."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..clip.archs import CLIP_MEAN, CLIP_STD, CLIPArch, resolve_arch
from ..clip.checkpoint import read_weights
from ..clip.model import build_visual
from ..registry import MODELS


def freeze(*parts: nn.Module | nn.Parameter) -> None:
    """Take parts out of training: no gradient, hence no optimizer state and no unused-DDP error."""
    for part in parts:
        part.requires_grad_(False)


class WithTeacher:
    """A model with a frozen teacher that is no submodule: it goes to the model's device and dtype,
    and neither checkpoints nor optimizers know it."""

    def keep_teacher(self, teacher: nn.Module | None) -> None:
        self.__dict__['teacher'] = teacher

    def _apply(self, fn: Callable, *args, **kwargs) -> nn.Module:
        if self.teacher is not None:
            self.teacher._apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)


def check_indices(
    indices: Sequence[int], count: int, what: str, option: str = 'out_indices'
) -> tuple[int, ...]:
    """Indices counted from the front; negative ones count from the back.

    Raises:
        ValueError: no index, or one outside the `count` blocks or stages.
    """
    if not indices or not all(-count <= i < count for i in indices):
        raise ValueError(
            f'{option} is {tuple(indices)}; legal values are 0 to {count - 1} (or '
            f'-{count} to -1) of the {count} {what}, and at least one.'
        )
    return tuple(i % count for i in indices)


def check_frozen(frozen_stages: int, count: int, what: str) -> None:
    if not -1 <= frozen_stages <= count:
        raise ValueError(
            f'frozen_stages is {frozen_stages}; legal values: -1 (train all), 0 (stem '
            f'frozen), up to {count} (stem and all {count} {what} frozen).'
        )


class CLIPBackbone(BaseModule):
    """A tower of CLIP and where its weights come from.

    Args:
        arch: architecture name, e.g. 'ViT-B-16' ('-quickgelu' for files of OpenAI's activation).
        weights: a published tag ('openai', 'laion2b_s34b_b88k'), 'toy' or 'toy-dense' of the
            package, 'hf-hub:org/name', a file or folder; None leaves random weights. They are read
            by `init_weights`, not at build.
        image_size: pixels on a side of the grid that the positions belong to; CLIP's if left out.

    Raises:
        RuntimeError: by `forward`, while named weights have neither been read by `init_weights` nor
            come from a checkpoint that fills the tower: it would run at random.
    """

    def __init__(
        self,
        arch: str | CLIPArch,
        weights: str | None = None,
        init_cfg: dict | None = None,
        image_size: int | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.arch = resolve_arch(arch, weights)  # CLIP's own, whatever the image size
        self.weights = weights
        self.visual = build_visual(
            replace(self.arch, image_size=image_size or self.arch.image_size)
        )
        self.filled = weights is None  # random on purpose
        self.statistics = None  # mean and std of [0, 1] RGB images, known once weights are read

    @property
    def black(self) -> Tensor:
        """The colour (3,) of a black pixel in a normalised image."""
        mean, std = map(torch.tensor, self.statistics or (CLIP_MEAN, CLIP_STD))
        return -mean / std

    def init_weights(self) -> None:
        super().init_weights()
        if self.weights is None:
            return
        read = read_weights(self.arch, self.weights)
        if read.arch.activation != self.arch.activation:
            raise ValueError(
                f'{self.weights} was trained with {read.arch.activation!r}, but the backbone was '
                f"built with {self.arch.activation!r}; write arch='{self.arch.name}-quickgelu' in "
                'the config.'
            )
        self.load_tower(read.visual)
        self.statistics = read.mean, read.std

    def load_tower(self, state: dict[str, Tensor]) -> None:
        self.visual.load_state_dict(state)
        self.filled = True

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if not self.filled:
            saved = (
                (state_dict.get(f'{prefix}visual.{name}'), value)
                for name, value in self.visual.state_dict().items()
            )
            self.filled = all(one is not None and one.shape == value.shape for one, value in saved)

    def check_filled(self) -> None:
        if not self.filled:
            raise RuntimeError(
                f'{type(self).__name__}: the weights {self.weights!r} of its {self.arch.name} were '
                'never read, so it would run at random. Call model.init_weights(), or load a '
                'checkpoint that holds the tower; weights=None runs at random on purpose.'
            )


class FrozenTower(CLIPBackbone):
    """An image tower of CLIP that nothing trains: no gradient, and always in evaluation mode."""

    def __init__(
        self, arch: str | CLIPArch, weights: str | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(arch, weights, init_cfg)
        freeze(self.visual)
        self.train(False)

    def train(self, mode: bool = True) -> 'FrozenTower':
        return super().train(False)


@MODELS.register_module()
class CLIPVisionTransformer(CLIPBackbone):
    """CLIP's ViT: one feature map per chosen block, all at the patch's stride.

    Args:
        out_indices: blocks whose patch tokens are returned; four, a quarter of the depth apart and
            the last among them, if left out.
        frozen_stages: -1 trains all, 0 freezes patch embedding, positions and ln_pre, n the first
            n blocks too.
        arch, weights: see `CLIPBackbone`.

    Returns (forward):
        tuple of (B, D, h, w) with h = H // patch, w = W // patch.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'ViT-B-16',
        weights: str | None = None,
        out_indices: Sequence[int] | None = None,
        frozen_stages: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, weights, init_cfg)
        if self.arch.is_resnet:
            raise ValueError(f'{self.arch.name!r} is a ResNet; use CLIPResNet, or a ViT-* name.')
        blocks = self.visual.blocks
        if out_indices is None:
            out_indices = [len(blocks) * quarter // 4 - 1 for quarter in (1, 2, 3, 4)]
        self.out_indices = check_indices(out_indices, len(blocks), 'blocks')
        check_frozen(frozen_stages, len(blocks), 'blocks')
        v = self.visual
        freeze(v.ln_post, v.proj, *blocks[max(self.out_indices) + 1 :])  # never run here
        if frozen_stages >= 0:
            freeze(
                v.conv1,
                v.class_embedding,
                v.positional_embedding,
                v.ln_pre,
                *blocks[:frozen_stages],
            )

    def forward(self, img: Tensor) -> tuple[Tensor, ...]:
        self.check_filled()
        x, grid = self.visual.embed(img)
        maps = {}
        for i, block in enumerate(self.visual.blocks[: max(self.out_indices) + 1]):
            x = block(x)
            if i in self.out_indices:
                maps[i] = x[:, 1:].transpose(1, 2).unflatten(2, grid).contiguous()
        return tuple(maps[i] for i in self.out_indices)


@MODELS.register_module()
class CLIPResNet(CLIPBackbone):
    """CLIP's ModifiedResNet: feature maps of its four stages, strides 4, 8, 16, 32.

    Args:
        out_indices: stages (0-3) whose maps are returned.
        frozen_stages: -1 trains all, 0 freezes the stem, n the first n stages too. Batch norms of
            frozen parts keep their statistics.
        arch, weights: see `CLIPBackbone`.

    Returns (forward):
        tuple of (B, C_i, H / s_i, W / s_i), C_i = width * 4 * 2**i.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'RN50',
        weights: str | None = None,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, weights, init_cfg)
        if not self.arch.is_resnet:
            raise ValueError(
                f'{self.arch.name!r} is a ViT; use CLIPVisionTransformer, or a RN* name.'
            )
        stages = list(self.visual.stages)
        self.out_indices = check_indices(out_indices, len(stages), 'stages')
        check_frozen(frozen_stages, len(stages), 'stages')
        freeze(self.visual.attnpool, *stages[max(self.out_indices) + 1 :])
        self.frozen = []
        if frozen_stages >= 0:
            v = self.visual
            self.frozen = [v.conv1, v.bn1, v.conv2, v.bn2, v.conv3, v.bn3, *stages[:frozen_stages]]
            freeze(*self.frozen)

    def train(self, mode: bool = True) -> 'CLIPResNet':
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def forward(self, img: Tensor) -> tuple[Tensor, ...]:
        self.check_filled()
        x = self.visual.stem(img)
        maps = {}
        for i, stage in enumerate(list(self.visual.stages)[: max(self.out_indices) + 1]):
            x = stage(x)
            if i in self.out_indices:
                maps[i] = x
        return tuple(maps[i] for i in self.out_indices)
