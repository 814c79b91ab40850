"""Class names to text embeddings: names x synonyms x templates -> (C, d).

Sources: CLIP (Radford et al. 2021), section 3.1.4; MaskCLIP (Zhou et al. 2022), section 3.1.
"""

import warnings
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..vocabulary.class_names import class_synonyms
from .archs import import_open_clip
from .tokenizer import token_ids, token_text, tokenize

_SIZES = ('small', 'medium', 'large')
_SCENE = (
    'there is a {} in the scene.',
    'there is the {} in the scene.',
    'this is a {} in the scene.',
    'this is the {} in the scene.',
    'this is one {} in the scene.',
)
# Gu et al. 2022 (ViLD) as FC-CLIP and mmseg use it; the missing full stops are theirs
_VILD14 = (
    'a photo of a {}.',
    'This is a photo of a {}',
    'There is a {} in the scene',
    'There is the {} in the scene',
    'a photo of a {} in the scene',
    *(f'a photo of a {size} {{}}.' for size in _SIZES),
    *(f'This is a photo of a {size} {{}}.' for size in _SIZES),
    *(f'There is a {size} {{}} in the scene.' for size in _SIZES),
)
# ZegCLIP's release: the prompts behind its published embeddings of several templates.
_ZEGCLIP15 = (
    *(
        f'{start}a photo of a {size}{{}}.'
        for start in ('', 'This is ')
        for size in ('', *(f'{size} ' for size in _SIZES))
    ),
    'a {} in the scene.',
    'a photo of a {} in the scene.',
    *(
        f'{start} {{}} in the scene.'
        for start in ('There is a', 'There is the', 'This is a', 'This is the', 'This is one')
    ),
)
SYNONYMS = ('mean', 'joined', 'unnormalised', 'max')  # what a class of several names is embedded as


def _imagenet() -> tuple[str, ...]:
    templates = import_open_clip().OPENAI_IMAGENET_TEMPLATES
    return tuple(template('{}') for template in templates)


TEMPLATES = {
    'none': lambda: ('{}',),
    'single': lambda: ('a photo of a {}.',),
    'imagenet': _imagenet,
    'vild': lambda: _imagenet() + _SCENE,
    'vild14': lambda: _VILD14,
    'zegclip': lambda: ('a photo of a {}',),
    'zegclip15': lambda: _ZEGCLIP15,
}


def get_templates(templates: str | list[str] | tuple[str, ...] = 'single') -> tuple[str, ...]:
    """Templates of a named set, or the given ones checked; '{}' stands for the name.

    Sets: 'none' (the bare name), 'single' ("a photo of a {}."), 'imagenet' (CLIP's 80),
    'vild' (85: CLIP's 80 and the 5 "in the scene" sentences, the list of MaskCLIP's release),
    'vild14' (the 14 sentences that mmseg and FC-CLIP call ViLD's), 'zegclip' ('single' without the
    full stop) and 'zegclip15', the sets of ZegCLIP's release.

    Raises:
        ValueError: unknown set, empty list, or a template without exactly one '{}'.
    """
    if isinstance(templates, str):
        if templates not in TEMPLATES:
            raise ValueError(
                f'unknown template set {templates!r}; legal: {", ".join(TEMPLATES)}, '
                "or a list of sentences with '{}' where the name goes"
            )
        return TEMPLATES[templates]()
    if not isinstance(templates, Iterable) or not all(isinstance(one, str) for one in templates):
        raise ValueError(
            f'templates is {templates!r}; legal: {", ".join(TEMPLATES)}, or a list of sentences '
            "with '{}' where the name goes"
        )
    if not templates:
        raise ValueError("templates is empty; give at least one, e.g. ['{}'] for the bare name")
    for template in templates:
        if template.count('{}') != 1:
            raise ValueError(
                f"template {template!r} has {template.count('{}')} '{{}}'; "
                'exactly one is needed, where the class name goes'
            )
    return tuple(templates)


def known_words(text_tower: nn.Module) -> list[str]:
    """Tokens that a text tower was trained on, sorted: whole words, and pieces as 'paras-'.

    CLIP's published towers know all; small ones of our own only the words of their captions: the
    other tokens have no stored embedding (`save_clip`), that is zeros.
    """
    rows = text_tower.token_embedding.weight.any(dim=1).nonzero().flatten()
    return sorted(filter(None, map(token_text, rows.tolist())))


def _warn_of_unknown_words(text_tower: nn.Module, classes: list[list[str]]) -> None:
    if not hasattr(text_tower, 'token_embedding'):
        return
    known = text_tower.token_embedding.weight.any(dim=1).tolist()
    words = {word: None for synonyms in classes for name in synonyms for word in name.split()}
    unknown = [repr(word) for word in words if not all(known[i] for i in token_ids(word))]
    if unknown:
        rest = f', ... ({len(unknown)} in all)' if len(unknown) > 20 else ''
        warnings.warn(
            f'class names hold words that this text tower was never trained on, so they mean '
            f'nothing to it: {", ".join(unknown[:20])}{rest}. '
            'mmseg_zsclip.clip.known_words(load_text(arch, weights)) lists those that it knows.',
            stacklevel=3,
        )


def joined_rows(*texts: Tensor) -> Tensor:
    """Text embeddings of several vocabularies as those of one.

    Args:
        texts: (C_i, d), or (C_i, S_i, d) where a class has a row for each of its synonyms.

    Returns:
        (C, d), or (C, S, d) for the largest S; a class with fewer synonyms repeats the first.
    """
    if all(text.dim() == 2 for text in texts):
        return torch.cat(texts)
    texts = [text if text.dim() == 3 else text[:, None] for text in texts]
    most = max(text.shape[1] for text in texts)
    return torch.cat(
        [torch.cat([one, one[:, :1].expand(-1, most - one.shape[1], -1)], dim=1) for one in texts]
    )


def cosines(x: Tensor, text: Tensor) -> Tensor:
    """(..., d) with text (C, d), or (C, S, d) for the best of S synonyms, all L2-normalised:
    (..., C)."""
    if text.dim() == 2:
        return x @ text.T
    return (x @ text.flatten(0, 1).T).unflatten(-1, text.shape[:2]).amax(dim=-1)


@torch.no_grad()
def class_embeddings(
    text_tower: nn.Module,
    names: list[str],
    templates: str | list[str] | tuple[str, ...] = 'single',
    chunk: int = 256,
    synonyms: str = 'mean',
) -> Tensor:
    """Text classifier of a vocabulary.

    Each synonym is the normalised mean of its normalised sentence embeddings, each class the
    normalised mean of its synonyms. Pure: depends on the arguments alone, rows follow `names`,
    and a row does not depend on the other names. Computed where the tower's parameters are.

    Args:
        text_tower: maps token ids (B, L) int64 to (B, d); `TextTransformer`.
        names: one class each, synonyms by comma ('cat, kitten').
        templates: name of a set or sentences, see `get_templates`.
        chunk: sentences per forward; memory grows with it, the result does not depend on it.
        synonyms: of `SYNONYMS`; 'joined' is one sentence of all, commas included, as released by
            two-stage methods: 'a photo of a building, edifice.'; 'unnormalised' the mean of the
            embeddings as they are, as MasQCLIP's release; 'max' a row for each, see `cosines`.

    Returns:
        (C, d) float32, L2-normalised over d; with 'max' (C, S, d), see `joined_rows`.

    Raises:
        ValueError: `synonyms` that is none of them; empty, duplicate or over-long names (context
            length of the tower, 77 tokens).

    Warns:
        UserWarning: names (not templates) hold words that the tower was never trained on.
    """
    if chunk < 1:
        raise ValueError(f'chunk is {chunk}; it must be at least 1 sentence')
    if synonyms not in SYNONYMS:
        raise ValueError(f'synonyms is {synonyms!r}; legal values: {", ".join(SYNONYMS)}.')
    classes = class_synonyms(names)
    if synonyms == 'joined':
        classes = [[', '.join(one)] for one in classes]
    _warn_of_unknown_words(text_tower, classes)
    sentences_of = get_templates(templates)
    device = next(text_tower.parameters()).device
    # replace, not format: a name may hold braces
    tokens = tokenize(
        [
            template.replace('{}', name)
            for one in classes
            for name in one
            for template in sentences_of
        ],
        getattr(text_tower, 'context_length', 77),
    )
    with torch.autocast(device.type, enabled=False):
        rows = torch.cat([text_tower(part.to(device)).float() for part in tokens.split(chunk)])
    length = (lambda x: x) if synonyms == 'unnormalised' else (lambda x: F.normalize(x, dim=-1))
    rows = length(length(rows).view(-1, len(sentences_of), rows.shape[-1]).mean(dim=1))
    parts = rows.split([len(one) for one in classes])
    if synonyms == 'max':
        return joined_rows(*(part[None] for part in parts))
    return torch.stack([F.normalize(part.mean(dim=0), dim=-1) for part in parts])
