"""MasQCLIP for Open-Vocabulary Universal Image Segmentation (Xu et al., ICCV 2023).

One pass of CLIP's tower for an image and all of its proposals: a mask class token for each attends
to CLIP's tokens, which never see it, by queries of its own. These train, and nothing else. Differs
from the released code:
- The queries begin as CLIP's; the release's at random (`q_init='random'`).
- The position of the mask class tokens stays that of the class token; the release trains it
  (`train_position=True`).
- Padding has the mean colour, as everywhere in this package; the release's is black
  (`black_padding=True`).
- Labels by IoU, and a loss of weight 1, see `MaskClassificationLoss`.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..clip.archs import CLIPArch
from ..clip.prompts import joined_rows
from ..registry import MODELS
from ..vocabulary.lists import BACKGROUND, load_classes
from ..vocabulary.thing_names import folded_names
from .encoders import CLIPBackbone, freeze
from .mask_ops import touched_patches
from .proposals import padded
from .two_stage import TwoStageSegmentor
from .vocabulary import Vocabulary

TUNED = dict(freeze='', q='q', k='k', v='v', qk='qk', qkv='qkv', clip='')  # the rows of table 5


@MODELS.register_module()
class MasQCLIPViT(CLIPBackbone):
    """CLIP's ViT with a mask class token for each proposal, from the first block on.

    Args:
        arch, weights: see `CLIPBackbone`.
        tune: what the mask class tokens have of their own, a row of table 5: 'freeze' (nothing),
            'q' (queries, MasQ-tuning), 'k', 'v', 'qk', 'qkv', or 'clip' (a copy of all that they
            pass).
        q_init: 'clip', or 'random' as released: how the own projections begin.
        train_position: also train the position that the mask class tokens begin with.
        black_padding: what is padding of an image is black.
        clip_size: pixels on a side of what CLIP sees; its own image size if left out.

    Raises:
        ValueError: a ResNet; an unknown `tune` or `q_init`; a `clip_size` below a patch.
    """

    def __init__(
        self,
        arch: str | CLIPArch = 'ViT-L-14-336',
        weights: str | None = None,
        tune: str = 'q',
        q_init: str = 'clip',
        train_position: bool = False,
        black_padding: bool = False,
        clip_size: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, weights, init_cfg)
        if self.arch.is_resnet:
            raise ValueError(
                f'{self.arch.name!r} is a ResNet; mask class tokens need a ViT-* name.'
            )
        for name, value, legal in (('tune', tune, TUNED), ('q_init', q_init, ('clip', 'random'))):
            if value not in legal:
                raise ValueError(f'{name} is {value!r}; legal values: {", ".join(legal)}.')
        if clip_size is not None and clip_size < self.arch.patch_size:
            raise ValueError(
                f'clip_size is {clip_size}; legal values: from {self.arch.patch_size} pixels on, a'
                f' patch of {self.arch.name}.'
            )
        self.size = (clip_size or self.arch.image_size,) * 2
        self.q_init = q_init
        self.train_position = train_position
        self.black_padding = black_padding
        v = self.visual
        self.position = nn.Parameter(torch.empty(v.width))
        self.own = nn.ModuleDict(
            {
                name: nn.ModuleList(nn.Linear(v.width, v.width) for _ in v.blocks)
                for name in TUNED[tune]
            }
        )
        self.copy = None
        if tune == 'clip':
            self.copy = deepcopy(v)
            for name in ('conv1', 'class_embedding', 'positional_embedding', 'ln_pre'):
                delattr(self.copy, name)  # mask class tokens begin as CLIP's
        self.begin()
        self.choose_trained()

    @torch.no_grad()
    def begin(self) -> None:
        """What the mask class tokens have of their own becomes CLIP's."""
        v = self.visual
        self.position.copy_(v.positional_embedding[0])
        if self.copy is not None:
            self.copy.load_state_dict(v.state_dict(), strict=False)
        for name, linears in self.own.items() if self.q_init == 'clip' else ():
            for linear, block in zip(linears, v.blocks, strict=True):
                part = 'qkv'.index(name)
                linear.weight.copy_(block.attn.in_proj_weight.chunk(3)[part])
                linear.bias.copy_(block.attn.in_proj_bias.chunk(3)[part])

    def load_tower(self, state: dict[str, Tensor]) -> None:
        super().load_tower(state)
        self.begin()

    def choose_trained(self) -> list[str]:
        """Names of the tensors that train, all others are frozen."""
        freeze(self)
        for part in filter(None, (self.own, self.copy)):
            part.requires_grad_(True)
        self.position.requires_grad_(self.train_position)
        return [name for name, one in self.named_parameters() if one.requires_grad]

    def resized(self, img: Tensor, kept: Sequence | None) -> Tensor:
        """Images (B, 3, H, W) as CLIP sees them, their aspect not kept."""
        if self.black_padding and kept is not None:
            black = self.black.to(img)[:, None, None].expand_as(img[0])
            out = black.expand_as(img).clone()
            for one, row, (rows, columns) in zip(img, out, kept, strict=True):
                row[:, rows, columns] = one[:, rows, columns]
            img = out
        return F.interpolate(img, self.size, mode='bicubic', align_corners=False)

    def clip_steps(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Plain CLIP from the input of block 0, (B, 1 + N, D), on: of each block its input, keys
        and values. No graph goes through them."""
        for block in self.visual.blocks:
            with torch.no_grad():
                q, k, v = block.attn.qkv(block.ln_1(x))
            yield x, k, v
            with torch.no_grad():
                x = x + block.attn.attend(q, k, v)
                x = x + block.mlp(block.ln_2(x))

    def projected(self, name: str, i: int, block: nn.Module, x: Tensor) -> Tensor:
        """The tokens' own projection of normalised tokens, or else the block's."""
        own = self.own[name][i](x) if name in self.own else block.attn.inputs(x, name)[0]
        return block.attn.split_heads(own)

    def of_proposals(self, x: Tensor, visible: Tensor) -> Tensor:
        """Input of block 0 and the patches that proposals touch (B, P, N) -> (B, P, d).

        A token attends to CLIP's class token always, so that it sees something.
        """
        v, tower = self.visual, self.copy or self.visual
        start = (v.class_embedding + self.position)[None]  # mmengine counts no 1-D norm
        tokens = v.ln_pre(start).expand(*visible.shape[:2], -1)
        mask = F.pad(visible, (1, 0), value=True)[:, None]  # Eq. 3
        steps = zip(tower.blocks, self.clip_steps(x), strict=False)  # ends before the last step
        for i, (block, (seen, *context)) in enumerate(steps):
            for j, name in enumerate('kv'):
                if name in self.own or self.copy is not None:
                    context[j] = self.projected(name, i, block, block.ln_1(seen))
            q = self.projected('q', i, block, block.ln_1(tokens))  # Eq. 5
            tokens = tokens + block.attn.attend(q, *context, mask)  # Eq. 4
            tokens = tokens + block.mlp(block.ln_2(tokens))
        return tower.project(tokens)

    def forward(
        self, img: Tensor, masks: Sequence[Tensor], kept: Sequence | None = None
    ) -> list[Tensor]:
        """Embeddings of proposals, of each image (P_i, d), not normalised.

        Args:
            img: (B, 3, H, W), normalised with CLIP's statistics, padding and all.
            masks: of each image (P_i, H, W), probabilities in [0, 1]; P_i may be 0.
            kept: rows and columns of each image that are no padding.
        """
        self.check_filled()
        with torch.no_grad():
            x, grid = self.visual.embed(self.resized(img, kept))
            visible = [touched_patches(one, self.size, grid) for one in masks]
            visible = padded(visible, least=1)  # 1 keeps the graph
        rows = self.of_proposals(x, visible)
        return [one[: len(own)] for one, own in zip(rows, masks, strict=True)]


@MODELS.register_module()
class MasQCLIP(TwoStageSegmentor):
    """A two-stage model whose mask class tokens train, and nothing else.

    A row of text stands for what is no class; its score is not given to anything.

    Args:
        background: the word for it, synonyms by comma; no class may have it.
        mask_loss: config of the loss, `MaskClassificationLoss()` by default.
        Others: see `TwoStageSegmentor`; the classifier is `MasQCLIPViT`.

    Raises:
        TypeError: another classifier.
        ValueError: a generator that knows whole photos alone; a class called `background`.
    """

    def __init__(
        self, background: str = BACKGROUND, mask_loss: dict | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.check_trainable(MasQCLIPViT)
        self.background = Vocabulary([background], **kwargs['text'])
        self.check_background(self.vocabulary.classes)
        freeze(self.generator)
        self.trained = self.classifier.choose_trained()
        self.mask_loss = MODELS.build(mask_loss or dict(type='mmseg_zsclip.MaskClassificationLoss'))

    def check_background(self, classes: Sequence[str]) -> None:
        both = sorted(folded_names(classes) & folded_names(self.background.classes))
        if both:
            raise ValueError(
                f'{both[0]!r} is a class, and the word for what is none: no proposal could '
                'tell which. Take it out of the classes, or give the model another background=....'
            )

    def set_classes(self, classes: str | Sequence[str], *args, **options) -> None:
        self.check_background(load_classes(classes))
        super().set_classes(classes, *args, **options)

    def train(self, mode: bool = True) -> 'MasQCLIP':
        """The generator stays in evaluation mode too."""
        super().train(mode)
        self.generator.eval()
        return self

    def class_scores(self, embeddings: Tensor) -> Tensor:
        """Embeddings (P, d) -> (P, C): softmax with the background, which is then left out."""
        text = joined_rows(self.vocabulary(), self.background())
        return self.logits(embeddings, text).softmax(dim=1)[:, :-1]

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Classification loss of a batch, among the seen classes and the background.

        Raises:
            ValueError: a label that is no class, or of an unseen one ("ground-truth leak").
        """
        text = self.vocabulary()[self.seen]
        targets = self.targets(data_samples)
        with torch.no_grad():
            proposals, kept = self.propose(inputs, data_samples, of_photos=False, text=text)
        masks = [one.masks for one in proposals]
        text = joined_rows(text, self.background())
        logits = [self.logits(one, text) for one in self.classifier(inputs, masks, kept)]
        return dict(loss_mask_class=self.mask_loss(logits, masks, *zip(*targets, strict=True)))
