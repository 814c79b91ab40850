"""MaskCLIP: Extract Free Dense Labels from CLIP (Zhou, Loy, Dai, ECCV 2022). Nothing is trained.

Differs from the released code:
- Keys of key smoothing are normalised over their channels, as Eq. 5 says, and every position is
  smoothed; the release normalises over the positions and leaves those whose confidence rounds to 1
  (`MaskCLIPHead(released_refinement=True)`), and a ViT's keys have gone through `out_proj`
  (`MaskCLIPViT(released_keys=True)`).
- Prompt denoising that would drop every class of an image drops none; in the release all scores
  become equal and the first class wins everywhere (`released_refinement=True`).
- The ViT has the activation of its weights and CLIP's epsilon; the release runs OpenAI's weights
  with GELU and 1e-6 (`released_tower=True`).
- The attention pool's baseline has the pool's positions; the release's has none
  (`pool_positions=False`).
- Scores are `scale` times the cosine, so that their softmax is the confidence of section 3.3; the
  release's outputs are the cosines, and it multiplies by 100 inside.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ..clip.archs import CLIPArch
from ..clip.resnet import AttentionPool2d
from ..registry import MODELS
from .dense_attention import Tokens, build_attention, check_attention, kept_parts
from .encoders import FrozenTower
from .vocabulary import HasVocabulary, Vocabulary, check_not_given, check_one_clip

DROPPED = -1e4  # score of a class that prompt denoising removed: 0 after any softmax

# What takes the place of the attention pool of a ResNet: the last map (B, C, h, w) to (B, d, h, w).
PoolAttention = Callable[[AttentionPool2d, Tensor], Tensor]
POOL_ATTENTIONS: dict[str, PoolAttention] = {
    'value': lambda pool, x: pool.values(x),  # F(v_i) of Eq. 3
    'last': lambda pool, x: pool.tokens(x)[:, 1:].transpose(1, 2).unflatten(2, x.shape[-2:]),
}


@MODELS.register_module()
class MaskCLIPViT(FrozenTower):
    """Patch features of a CLIP ViT from its last block (section 3.3).

    Args:
        arch, weights: see `CLIPBackbone`.
        attention: of the last block: 'value', or another one of `dense_attention`, by name or as
            a dict with its options, e.g. dict(type='kk', gaussian_std=3.0); or a method ('naclip'),
            which takes no other settings.
        residual: add the block's input to the attention's output, as the paper does; as the
            attention's own method does if left out.
        ffn: run the block's feed-forward network on the sum, as the paper does; as the attention's
            own method does if left out.
        released_keys: keys through `out_proj`, as released.
        released_tower: GELU and epsilon 1e-6, as released, whatever the weights were trained with.

    Returns (forward):
        features (B, d, h, w) in the joint image-text space and keys (B, D, h, w), neither
        normalised; h = H // patch, w = W // patch.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'ViT-B-16',
        weights: str | None = None,
        attention: str | dict = 'value',
        residual: bool | None = None,
        ffn: bool | None = None,
        released_keys: bool = False,
        released_tower: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, weights, init_cfg)
        if self.arch.is_resnet:
            raise ValueError(
                f'{self.arch.name!r} is a ResNet; use MaskCLIPResNet, or a ViT-* name.'
            )
        self.attention = build_attention(attention)
        self.residual, self.ffn = kept_parts(attention, residual, ffn)
        self.read_blocks = self.attention.reads(len(self.visual.blocks))
        self.released_keys = released_keys
        if released_tower:
            for block in self.visual.blocks:
                block.mlp.gelu = nn.GELU()
            for module in self.visual.modules():
                if isinstance(module, nn.LayerNorm):
                    module.eps = 1e-6

    def last_block(
        self, inputs: Mapping[int, Tensor], grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Inputs (B, 1 + N, D) of the blocks that are read, the last among them -> patches after
        the chosen path, and keys, each (B, N, D)."""
        blocks = self.visual.blocks
        block, attn, x = blocks[-1], blocks[-1].attn, inputs[len(blocks) - 1]
        normed = block.ln_1(x)
        out = self.attention(Tokens(blocks, inputs, normed, grid))
        out = out + x[:, 1:] if self.residual else out
        if self.ffn:
            out = out + block.mlp(block.ln_2(out))
        (keys,) = attn.inputs(normed[:, 1:], 'k')
        return out, attn.out_proj(keys) if self.released_keys else keys

    def forward(self, img: Tensor) -> tuple[Tensor, Tensor]:
        self.check_filled()
        x, grid = self.visual.embed(img)
        blocks = self.visual.blocks
        inputs = {}
        for i, block in enumerate(blocks[:-1]):
            if i in self.read_blocks:
                inputs[i] = x
            x = block(x)
        inputs[len(blocks) - 1] = x
        patches, keys = self.last_block(inputs, grid)
        return tuple(
            part.transpose(1, 2).unflatten(2, grid) for part in (self.visual.project(patches), keys)
        )


@MODELS.register_module()
class MaskCLIPResNet(FrozenTower):
    """Features of a CLIP ResNet's cells from its attention pool (Eqs. 3, 4).

    Args:
        arch, weights: see `CLIPBackbone`.
        attention: of the pool, a key of `POOL_ATTENTIONS`: 'value', or 'last', its own tokens.
        pool_positions: the pool adds its positions; False as in the release. 'value' has none.

    Returns (forward):
        features (B, d, h, w) in the joint image-text space and keys (B, C, h, w), neither
        normalised; cells of 32 x 32 pixels.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'RN50',
        weights: str | None = None,
        attention: str = 'value',
        pool_positions: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, weights, init_cfg)
        if not self.arch.is_resnet:
            raise ValueError(f'{self.arch.name!r} is a ViT; use MaskCLIPViT, or a RN* name.')
        self.attention = check_attention(POOL_ATTENTIONS, attention)
        self.pool_positions = pool_positions

    def init_weights(self) -> None:
        super().init_weights()
        if not self.pool_positions:
            nn.init.zeros_(self.visual.attnpool.positional_embedding)

    def pool(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Last map (B, C, h, w) -> features (B, d, h, w) and keys (B, C, h, w)."""
        pool = self.visual.attnpool
        keys = pool.k_proj(x.flatten(2).transpose(1, 2))
        features = POOL_ATTENTIONS[self.attention](pool, x)
        return features, keys.transpose(1, 2).unflatten(2, x.shape[-2:])

    def forward(self, img: Tensor) -> tuple[Tensor, Tensor]:
        self.check_filled()
        return self.pool(self.visual.features(img))


def smooth_by_keys(pred: Tensor, keys: Tensor, power: float = 1.0) -> Tensor:
    """Key smoothing: pred_i = sum_j cos(k_i, k_j) pred_j (Eq. 5).

    Args:
        pred: (B, C, h, w).
        keys: (B, D, h, w), L2-normalised.
        power: sharpens the cosine; with another one than Eq. 5's 1, negative cosines count as 0.

    Returns:
        (B, C, h, w), a sum over all h * w positions.
    """
    p, k = pred.flatten(2), keys.flatten(2)
    if power == 1:
        out = (p @ k.transpose(1, 2)) @ k  # Eq. 5; this order makes no N x N matrix
    else:
        out = p @ (k.transpose(1, 2) @ k).clamp(min=0) ** power
    return out.view_as(pred)


def drop_absent(logits: Tensor, threshold: float, keep_some: bool = True) -> Tensor:
    """Prompt denoising: classes whose confidence is below `threshold` at every position go.

    Args:
        logits: (B, C, h, w), their softmax over C is the confidence.
        keep_some: an image in which no class reaches the threshold keeps all.

    Returns:
        (B, C, h, w) with `DROPPED` in the place of the removed classes' logits.
    """
    keep = logits.softmax(dim=1).flatten(2).amax(dim=2) >= threshold
    if keep_some:
        keep = keep | ~keep.any(dim=1, keepdim=True)
    return logits.masked_fill(~keep[..., None, None], DROPPED)


@MODELS.register_module()
class MaskCLIPHead(HasVocabulary, BaseDecodeHead):
    """Text embeddings as the classifier of dense CLIP features (section 3.3).

    Inputs are features (B, d, h, w) and, for key smoothing, keys (B, D, h, w), as `MaskCLIPViT` and
    `MaskCLIPResNet` return them.

    Args:
        classes: all classes, as in `Vocabulary`.
        text: `arch`, `weights` and `templates` of the text tower, see `Vocabulary`.
        unseen: names of the unseen classes, or a shipped split; no score depends on them.
        background: names, or a shipped list ('background26'), that together are the class called
            'background': its score is the largest of theirs (section 4.1).
        scale: of the cosines, 100 in the paper; the learned one of a small CLIP is lower.
        ks_thresh: key smoothing of the positions whose confidence does not exceed it: 1 smooths
            all (the paper's), 0 none.
        ks_power: exponent of Eq. 5's cosine, 1 in the paper.
        pd_thresh: prompt denoising drops classes below this confidence everywhere; 0.5 in the
            paper, 0 drops none.
        released_refinement: both as the released code does them, see the top of this file.

    Raises:
        ValueError: values out of range, a single class, unknown class names.
    """

    folds_background = True

    def __init__(
        self,
        classes: str | Sequence[str],
        text: dict,
        unseen: str | Sequence[str] | None = None,
        background: str | Sequence[str] | None = None,
        scale: float = 100.0,
        ks_thresh: float = 0.0,
        ks_power: float = 1.0,
        pd_thresh: float = 0.0,
        released_refinement: bool = False,
        **kwargs,
    ) -> None:
        check_not_given(kwargs, 'num_classes', 'in_channels', 'channels')
        for name, value in (('ks_thresh', ks_thresh), ('pd_thresh', pd_thresh)):
            if not 0 <= value <= 1:
                raise ValueError(
                    f'{name} is {value}; legal values: a confidence from 0 (off) to 1.'
                )
        for name, value in (('scale', scale), ('ks_power', ks_power)):
            if value <= 0:
                raise ValueError(f'{name} is {value}; it must be positive.')
        vocabulary = Vocabulary(classes, **text, unseen=unseen, background=background, least=2)
        dim = vocabulary.embeddings.shape[-1]
        super().__init__(  # mmseg's head wants a loss; it is never computed
            in_channels=dim,
            channels=dim,
            num_classes=len(vocabulary.classes),
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
            init_cfg=None,
            **kwargs,
        )
        del self.conv_seg, self.dropout
        self.class_embeddings = vocabulary
        self.scale = scale
        self.ks_thresh = ks_thresh
        self.ks_power = ks_power
        self.pd_thresh = pd_thresh
        self.released_refinement = released_refinement

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Scores (B, C, h, w): `scale` times cosines, or with key smoothing the sums of Eq. 5."""
        features, *keys = inputs
        if self.ks_thresh and not keys:
            raise ValueError(
                f'ks_thresh is {self.ks_thresh}, which needs keys, but the backbone '
                'gave features only. Use MaskCLIPViT or MaskCLIPResNet, or '
                'ks_thresh=0.'
            )
        with torch.autocast(features.device.type, enabled=False):
            logits = self.fold_background(self.similarities(features.float()))
            if self.pd_thresh:
                logits = drop_absent(logits, self.pd_thresh, not self.released_refinement)
            return self.smooth(logits, keys[0].float()) if self.ks_thresh else logits

    def smooth(self, logits: Tensor, keys: Tensor) -> Tensor:
        """Key smoothing of the positions that `ks_thresh` chooses: (B, C, h, w) -> the same."""
        pred = logits.softmax(dim=1)
        sure = pred.amax(dim=1, keepdim=True)
        if self.released_refinement:
            keys = F.normalize(keys.flatten(2), dim=2).view_as(keys)
            chosen = sure < self.ks_thresh
        else:
            keys = F.normalize(keys, dim=1)
            chosen = sure <= self.ks_thresh
        return smooth_by_keys(pred, keys, self.ks_power).where(chosen, pred)

    def similarities(self, features: Tensor) -> Tensor:
        """Features (B, d, h, w) -> `scale` times their cosines with the text rows, of several
        synonyms the best."""
        text = self.class_embeddings()
        check_one_clip(features.shape[1], text.shape[-1])
        cosines = F.conv2d(F.normalize(features), text.flatten(0, -2)[:, :, None, None])
        if text.dim() == 3:
            cosines = cosines.unflatten(1, text.shape[:2]).amax(dim=2)
        return self.scale * cosines

    def fold_background(self, logits: Tensor) -> Tensor:
        """Scores of text rows -> of classes: the background's is the largest of its names'."""
        start = self.vocabulary.background_start
        if start is None:
            return logits
        end = start + 1 + logits.shape[1] - self.num_classes
        folded = logits[:, start:end].amax(dim=1, keepdim=True)
        return torch.cat([logits[:, :start], folded, logits[:, end:]], dim=1)

    @property
    def finish(self) -> Callable[[Tensor], Tensor] | None:
        """What becomes of resized scores (B, C, H, W); None where they are the scores."""
        return self.log_confidences if self.ks_thresh else None

    def log_confidences(self, scores: Tensor) -> Tensor:
        """The sums of Eq. 5 -> scores whose softmax is the confidence.

        Windows, scales and flips of an image can then be averaged; no argmax changes.
        """
        scores = scores - scores.amin(dim=1, keepdim=True).clamp(max=0)
        return (scores / scores.sum(dim=1, keepdim=True)).clamp(min=1e-6).log()

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Scores (B, C, H, W) whose softmax is the confidence, also after key smoothing."""
        scores = super().predict_by_feat(seg_logits, batch_img_metas)
        return self.finish(scores) if self.finish else scores

    def loss(self, *args, **kwargs) -> dict:
        raise RuntimeError(
            'MaskCLIP has nothing to train. Evaluate it without a checkpoint '
            '(`zsclip test CONFIG`).'
        )
