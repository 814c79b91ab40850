"""What a pre-training run is told, its learning rates over time, and its optimisers."""

from dataclasses import dataclass

import torch
from torch import nn

from .forward import PATHS
from .muon import Muon


@dataclass
class Recipe:
    """How long, how much and how fast.

    A run has a contrastive part, annealed to the end, and, when `patch_weight` > 0, a dense part
    that starts again at `dense_lr` of the peak and also trains the patch features on image-level
    tags.

    `steps` or `minutes` is the whole length (one of them). `sizes` are crop sizes in pixels, drawn
    uniformly at each step; from `late` of the contrastive part on, `late_sizes`. `batch` is for the
    tower's own image size and grows as crops shrink. `lr` is Muon's for the matrices of blocks,
    `lr_rest` AdamW's for everything else (for everything, if `optimizer` is 'adamw').
    `hold_class_token` is the share of images whose CLS token only the last block changes.
    """

    steps: int | None = None
    minutes: float | None = None
    sizes: tuple[int, ...] = ()
    late_sizes: tuple[int, ...] = ()
    late: float = 0.55
    batch: int = 256
    lr: float = 0.01
    lr_rest: float = 2e-3
    weight_decay: float = 0.05
    optimizer: str = 'muon'
    precision: str = 'bf16'
    patch_weight: float = 0.0
    patch_paths: tuple[str, ...] = PATHS
    contrastive_share: float = 0.68
    dense_lr: float = 0.6
    jitter: float = 1.0
    hold_class_token: float = 0.0
    seed: int = 0

    def __post_init__(self):
        if (self.steps is None) == (self.minutes is None):
            raise ValueError(
                f'steps={self.steps} and minutes={self.minutes}: give exactly one of them'
            )
        if (self.steps or self.minutes) <= 0:
            raise ValueError(
                f'steps={self.steps}, minutes={self.minutes}: the length must be positive'
            )
        for name, value, legal in (
            ('optimizer', self.optimizer, ('muon', 'adamw')),
            ('precision', self.precision, ('bf16', 'fp32')),
        ):
            if value not in legal:
                raise ValueError(f'{name} is {value!r}; legal: {", ".join(legal)}')
        if not 0 <= self.hold_class_token <= 1:
            raise ValueError(
                f'hold_class_token is {self.hold_class_token}; legal: a share from 0 to 1'
            )
        wrong = [path for path in self.patch_paths if path not in PATHS]
        if wrong or (self.patch_weight and not self.patch_paths):
            raise ValueError(
                f'patch paths {list(self.patch_paths)}; legal: one or more of {", ".join(PATHS)}'
            )

    @property
    def contrastive_end(self) -> float:
        """Share of the run at which the contrastive part ends."""
        return self.contrastive_share if self.patch_weight else 1.0

    def crop_sizes(self, progress: float) -> tuple[int, ...]:
        return self.late_sizes if progress >= self.late * self.contrastive_end else self.sizes

    def lr_factor(self, progress: float) -> float:
        """Share of the peak rates at `progress` in [0, 1] of the whole run.

        Contrastive part: up in 2 %, held to the half, straight down to 0.
        Dense part: up in 4 % to `dense_lr`, straight down to 0.
        """
        end = self.contrastive_end
        if progress < end:
            part = progress / end
            return min(1.0, (part + 1e-3) / 0.02, (1 - part) / 0.5)
        part = min(1.0, (progress - end) / max(1 - end, 1e-9))
        return self.dense_lr * min((part + 1e-3) / 0.04, 1 - part)


def trained_by(meta: dict) -> str | None:
    """What a checkpoint's own record (the `meta` that `Trainer` writes) says of its training, as
    words to follow 'trained by'; None where it says nothing."""
    if 'recipe' not in meta:
        return None
    recipe = Recipe(**meta['recipe'])
    share = meta['step'] / recipe.steps if recipe.steps else meta['minutes'] / recipe.minutes
    # a run with a patch term writes two files: where its contrastive part ends, and at its own end
    dense = share >= 1 > recipe.contrastive_end
    words = [
        f'the contrastive loss {"and a patch term" if dense else "alone"}',
        f'on image-level captions{" and tags" if dense else ""}',
        f'{meta["step"]} steps',
    ]
    if meta.get('init'):
        words[-1] += f' from {meta["init"]}'
    if recipe.hold_class_token:
        words.append(f'{recipe.hold_class_token:.0%} of the images with the CLS token held back')
    return ', '.join(words)


def build_optimizers(model: nn.Module, extra: list[nn.Parameter], recipe: Recipe) -> list:
    """Optimisers of the model and of parameters outside it; groups hold their 'peak_lr'."""
    words = model.text.token_embedding
    words.sparse = True  # a batch holds a few dozen of CLIP's 49408 words
    matrices, rest = [], []
    for name, parameter in model.named_parameters():
        if parameter is not words.weight:
            (matrices if parameter.ndim == 2 and 'resblocks' in name else rest).append(parameter)
    if recipe.optimizer == 'muon':
        muon = getattr(torch.optim, 'Muon', Muon)  # torch has it since 2.9
        optimizers = [muon(matrices, lr=recipe.lr, weight_decay=recipe.weight_decay)]
        groups = [dict(params=rest + extra, weight_decay=0.0)]
    else:
        optimizers = []
        groups = [
            dict(params=matrices, weight_decay=recipe.weight_decay),
            dict(params=rest + extra, weight_decay=0.0),
        ]
    optimizers.append(torch.optim.AdamW(groups, lr=recipe.lr_rest, betas=(0.9, 0.98)))
    optimizers.append(torch.optim.SparseAdam([words.weight], lr=recipe.lr_rest, betas=(0.9, 0.98)))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group['peak_lr'] = group['lr']
    return optimizers
