"""Prompts whose context is learned, through CLIP's frozen text tower (CoOp; MTA-CLIP, section 3.2).

A prompt is [start, context, name, end]. The tower is causal: what stands before a name never sees
it, and names do not see each other. So each context is computed once for all classes, and the names
stand one after another in one sequence, each with the positions that it would have alone. Exactly
the same embeddings, at a fraction of the tokens: for 150 classes and three contexts 1,029 in the
place of 450 prompts of 77.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..clip.archs import CLIPArch
from ..clip.checkpoint import load_text
from ..clip.prompts import get_templates
from ..clip.tokenizer import token_ids, tokenize
from .encoders import WithTeacher, freeze
from .vocabulary import Vocabulary


class Names(NamedTuple):
    """The tokens of some names, one name after another, each with its end-of-text.

    `ids` (n,), `place` (n,) in its own prompt, `owner` (n,) which name, `ends` where each ends."""

    ids: Tensor
    place: Tensor
    owner: Tensor
    ends: Tensor


def packed(names: Sequence[Sequence[int]], first: int, most: int) -> list[Names]:
    """Names, as token ids with end-of-text, in sequences of at most `most` tokens, of one name at
    least; `first` is the position of a name's first token."""
    packs, pack, total = [], [], 0
    for ids in [*names, None]:
        if pack and (ids is None or total + len(ids) > most):
            counts = torch.tensor([len(one) for one in pack])
            packs.append(
                Names(
                    torch.tensor([index for one in pack for index in one]),
                    torch.cat([first + torch.arange(count) for count in counts]),
                    torch.arange(len(pack)).repeat_interleave(counts),
                    counts.cumsum(0) - 1,
                )
            )
            pack, total = [], 0
        if ids is not None:
            pack.append(ids)
            total += len(ids)
    return packs


class LearnedPrompts(WithTeacher, Vocabulary):
    """K prompts of every class: their text embeddings (C, K, d), not normalised.

    While it trains they are computed in every pass, with a graph to the contexts and none to the
    tower. Else they are those that were last computed, which are saved with the model: to predict,
    no text tower is needed. It is read by `init_weights` and is no submodule.

    Args:
        classes: as in `Vocabulary`. A class is called by its first name; synonyms are not read.
        arch, weights: of the text tower; it need not be the image tower's.
        contexts: K, shared by all classes; None has one fixed prompt, of `templates`, no context.
        length: tokens of a context.
        init_std: of the normal distribution that the contexts begin with, each its own. CLIP's
            token embeddings have 0.02 at the start of its training; DenseCLIP takes 1.
        templates: of the fixed prompt, see `Vocabulary`.
        most: tokens of names in one sequence. Memory grows with it, the result does not depend on
            it; each block of the tower is computed again in the backward pass.

    Raises:
        ValueError: K or a length below 1; a name for which the prompt has no room.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        arch: str | CLIPArch,
        weights: str | None = None,
        contexts: int | None = 3,
        length: int = 8,
        init_std: float = 0.02,
        templates: str | Sequence[str] = 'single',
        most: int = 512,
    ) -> None:
        self.keep_teacher(None)
        super().__init__(classes, arch, weights, templates)
        self.most = most
        self.contexts = None
        if contexts is not None:
            for name, value in (('contexts', contexts), ('length', length)):
                if not isinstance(value, int) or value < 1:
                    raise ValueError(
                        f'{name} is {value!r}; at least 1 is needed. contexts=None has the fixed '
                        'prompt of `templates`.'
                    )
            self.contexts = nn.Parameter(
                init_std * torch.randn(contexts, length, self.arch.text_width)
            )
        self.start, end = tokenize([''], self.arch.context_length)[0, :2].tolist()
        self.tokens = [[*token_ids(name), end] for name in self.names]
        self.check_room()
        shape = (len(self.classes), contexts or 1, self.arch.embed_dim)
        self.embeddings = torch.zeros(shape)
        self.behind = False  # the contexts have moved on since the embeddings were computed

    @property
    def source(self) -> dict:
        source = super().source
        if self.contexts is not None:
            del source['templates'], source['synonyms']
        return source

    def check_room(self) -> None:
        if self.contexts is None:
            return  # `tokenize` looks at whole sentences
        length = self.contexts.shape[1]
        room = self.arch.context_length - length - 2
        for name, ids in zip(self.names, self.tokens, strict=True):
            if len(ids) - 1 > room:
                raise ValueError(
                    f'the name {name!r} has {len(ids) - 1} tokens; a context of {length} leaves '
                    f"room for {room} of CLIP's {self.arch.context_length} (start and end "
                    'included). Shorten the name or the context.'
                )

    def set_classes(self, *words, **options) -> None:
        raise TypeError(
            'these prompts were learned together with a head of fixed classes. Train with the '
            'other classes, or use a method with an open vocabulary.'
        )

    def use_tower(self, tower: nn.Module) -> None:
        """Take a text tower, which is frozen and does not become part of the model.

        Raises:
            ValueError: it is of another width than the contexts.
        """
        width = tower.positional_embedding.shape[1]
        if self.contexts is not None and width != self.contexts.shape[2]:
            raise ValueError(
                f'the text tower is {width} channels wide, the contexts are '
                f"{self.contexts.shape[2]}. Give `arch` the tower's architecture."
            )
        freeze(tower)
        self.keep_teacher(tower.to(self.embeddings.device))

    @torch.no_grad()
    def _embedded(self, rows: Sequence[str]) -> Tensor:
        self.use_tower(load_text(self.arch, self.weights))
        if self.contexts is not None:
            return self.through_tower()
        sentences = [
            template.replace('{}', name)
            for name in self.names
            for template in get_templates(self.templates)
        ]
        tokens = tokenize(sentences, self.arch.context_length).to(self.embeddings.device)
        out = torch.cat([self.teacher(part) for part in tokens.split(256)])
        return out.unflatten(0, (len(rows), -1)).mean(dim=1, keepdim=True)

    def through_tower(self) -> Tensor:
        """(C, K, d), with a graph to the contexts where gradients are computed."""
        tower, contexts = self.teacher, self.contexts
        count, length = contexts.shape[:2]
        start = tower.embed(torch.tensor([self.start], device=contexts.device))
        begin = torch.cat([start.expand(count, -1, -1), contexts], dim=1)
        begin = begin + tower.positional_embedding[: length + 1]
        out = []
        for names in packed(self.tokens, length + 1, self.most):
            ids, place, owner, ends = (one.to(contexts.device) for one in names)
            words = tower.embed(ids) + tower.positional_embedding[place]
            x = torch.cat([begin, words.expand(count, -1, -1)], dim=1)
            owner = torch.cat([owner.new_full((length + 1,), -1), owner])
            sees = ((owner == -1) | (owner == owner[:, None])).tril()
            for block in tower.transformer.resblocks:
                x = (
                    checkpoint(block, x, sees, use_reentrant=False)
                    if x.requires_grad
                    else block(x, sees)
                )
            out.append(tower.ln_final(x[:, length + 1 + ends]) @ tower.text_projection)
        return torch.cat(out, dim=1).transpose(0, 1)

    def forward(self) -> Tensor:
        """(C, K, d) float32.

        Raises:
            RuntimeError: never computed; in training, no text tower.
        """
        if self.contexts is None or not self.training:
            self.catch_up()
            return super().forward()
        if self.teacher is None:
            raise RuntimeError(
                f'the text tower of {self.arch.name}, through which the contexts are learned, was '
                'never read; call model.init_weights() before training.'
            )
        self.behind = True
        return self.through_tower().float()

    @torch.no_grad()
    def catch_up(self) -> None:
        """The stored embeddings become those of the contexts as they are."""
        if self.behind:
            with torch.autocast(self.embeddings.device.type, enabled=False):
                self.embeddings.copy_(self.through_tower())
            self.behind = False

    def _save_to_state_dict(self, *args) -> None:
        self.catch_up()
        super()._save_to_state_dict(*args)

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if f'{prefix}embeddings' in state_dict:
            self.behind = False
