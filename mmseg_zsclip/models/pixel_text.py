"""Pixel-text alignment in the manner of DenseCLIP (Rao et al., CVPR 2022), MTA-CLIP's rival.

Every cell of CLIP's last map is compared with the text of every class; the scores are both a loss
and further channels of the maps of a Semantic FPN. Written from the papers; unlike DenseCLIP, long
names are an error and not cut.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads import FPNHead
from torch import Tensor, nn

from ..registry import MODELS
from ..vocabulary.lists import load_classes
from .encoders import CLIPResNet, CLIPVisionTransformer
from .learned_prompts import LearnedPrompts
from .vocabulary import check_not_given


@MODELS.register_module()
class PixelTextResNet(CLIPResNet):
    """CLIP's ResNet with its attention pool.

    Returns (forward):
        as `CLIPResNet`, and behind the maps the tokens (B, 1 + h * w, d) of the last stage, in
        CLIP's space, not normalised, that of the whole image first.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.visual.attnpool.requires_grad_(True)

    def forward(self, img: Tensor) -> tuple[Tensor, ...]:
        maps = super().forward(img)
        return *maps, self.visual.attnpool.tokens(maps[-1])


@MODELS.register_module()
class PixelTextViT(CLIPVisionTransformer):
    """CLIP's ViT with its projection.

    Returns (forward):
        as `CLIPVisionTransformer`, and behind the maps the tokens (B, 1 + h * w, d) of the last
        block in CLIP's space, not normalised, the class token first.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.visual.ln_post.requires_grad_(True)
        self.visual.proj.requires_grad_(True)

    def forward(self, img: Tensor) -> tuple[Tensor, ...]:
        self.check_filled()
        x, grid = self.visual.embed(img)
        maps = {}
        for i, block in enumerate(self.visual.blocks):
            x = block(x)
            maps[i] = x[:, 1:].transpose(1, 2).unflatten(2, grid)
        return *(maps[i].contiguous() for i in self.out_indices), self.visual.project(x)


class VisualContext(nn.Module):
    """What an image adds to the text: text attends to the image's tokens ("post-model prompting").

    Args:
        dim: d of text and tokens.
        width, heads, layers, dropout: of the decoder.
    """

    def __init__(
        self,
        dim: int,
        width: int = 256,
        heads: int = 4,
        layers: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.text = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, width))
        self.tokens = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, width), nn.LayerNorm(width))
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                width, heads, 4 * width, dropout, 'gelu', batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, dim))
        self.gamma = nn.Parameter(torch.full((dim,), 1e-4))

    def forward(self, text: Tensor, tokens: Tensor) -> Tensor:
        """(C, d), (B, N, d) -> (B, C, d)."""
        # `shape`: what `len` gives is a constant of a traced model
        x, seen = self.text(text).expand(tokens.shape[0], -1, -1), self.tokens(tokens)
        for layer in self.layers:
            x = layer(x, seen)
        return text + self.gamma * self.out(x)


@MODELS.register_module()
class PixelTextHead(FPNHead):
    """mmseg's Semantic FPN head whose maps hold the scores of pixels with text.

    Its inputs are four maps and the tokens of `PixelTextResNet` or `PixelTextViT`; without `text`,
    four maps of any backbone, and it is a Semantic FPN.

    Args:
        classes: a shipped list ('ade150'), a text file, or the names.
        fpn: a neck of mmseg; to its in_channels come the classes' scores.
        text: options of `LearnedPrompts`, of one context.
        pyramid: a neck before the scores come in, for a ViT; None for none.
        context: options of `VisualContext`; None leaves the text as it is.
        score_level: which map has the grid of the tokens.
        tau: temperature of the cosines in their loss.
        score_weight: of that loss.
        **kwargs: of mmseg's `FPNHead`, without `num_classes`.

    Raises:
        ValueError: tau that is not above 0; more than one context; in a pass, inputs that are not
            the maps and the tokens of their grid.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        fpn: dict,
        text: dict | None = None,
        pyramid: dict | None = None,
        context: dict | None = None,
        score_level: int = 3,
        tau: float = 0.07,
        score_weight: float = 0.4,
        **kwargs,
    ) -> None:
        if not tau > 0:
            raise ValueError(f'tau is {tau}; a temperature is above 0, 0.07 by default.')
        check_not_given(kwargs, 'num_classes')
        count = len(load_classes(classes))
        super().__init__(num_classes=count, **kwargs)
        self.prompts = self.context = None
        widths = list(fpn['in_channels'])
        if text is not None:
            self.prompts = LearnedPrompts(classes, **{'contexts': 1, **text})
            contexts, dim = self.prompts.embeddings.shape[1:]
            if contexts != 1:
                raise ValueError(
                    f'contexts is {contexts}; pixels are compared with one text a class. '
                    'Write contexts=1.'
                )
            widths[score_level] += count
            if context is not None:
                self.context = VisualContext(dim, **context)
        self.pyramid = None if pyramid is None else MODELS.build(pyramid)
        self.fpn = MODELS.build(dict(fpn, in_channels=widths))
        self.score_level = score_level
        self.tau = tau
        self.score_weight = score_weight

    def init_weights(self) -> None:
        super().init_weights()
        if self.prompts is not None:
            self.prompts.init_weights()

    def scores(self, tokens: Tensor, grid: Sequence[int]) -> Tensor:
        """Tokens (B, 1 + h * w, d) -> cosines with the text, (B, C, h, w)."""
        text = self.prompts()[:, 0]
        if self.context is not None:
            text = self.context(text, tokens)
        pixels = F.normalize(tokens[:, 1:], dim=-1)
        return (F.normalize(text, dim=-1) @ pixels.transpose(1, 2)).unflatten(2, grid)

    def check_inputs(self, inputs: Sequence[Tensor]) -> None:
        dims = [4] * len(self.fpn.in_channels) + [3] * (self.prompts is not None)
        if [one.dim() for one in inputs] != dims:
            raise ValueError(
                f'the backbone gives {len(inputs)} tensors of {[one.dim() for one in inputs]} '
                f'dimensions, the head takes {dims}: with `text`, tokens behind the maps. Use '
                'PixelTextResNet or PixelTextViT with `text`, CLIPResNet or another without.'
            )

    def both(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Logits (B, C, H / 4, W / 4), and the scores of `scores` where there is text."""
        self.check_inputs(inputs)
        maps, scores = list(inputs), None
        tokens = maps.pop() if self.prompts is not None else None
        if self.pyramid is not None:
            maps = list(self.pyramid(maps))
        if tokens is not None:
            level = maps[self.score_level]
            grid = level.shape[2:]
            if tokens.shape[1] != 1 + grid.numel():
                raise ValueError(
                    f'the map of score_level {self.score_level} has {grid[0]} x {grid[1]} cells, '
                    f'the backbone {tokens.shape[1] - 1} tokens. Name the map of their stride.'
                )
            scores = self.scores(tokens, grid)
            maps[self.score_level] = torch.cat([level, scores], dim=1)
        return super().forward(self.fpn(maps)), scores

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        return self.both(inputs)[0]

    def loss(self, inputs: Sequence[Tensor], batch_data_samples: list, train_cfg: dict) -> dict:
        """mmseg's, and the same loss of the scores, as `loss_scores`."""
        logits, scores = self.both(inputs)
        losses = self.loss_by_feat(logits, batch_data_samples)
        if scores is not None:
            of_scores = self.loss_by_feat(scores / self.tau, batch_data_samples)
            losses['loss_scores'] = self.score_weight * of_scores[self.loss_decode.loss_name]
        return losses
