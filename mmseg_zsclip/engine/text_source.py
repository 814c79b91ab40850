"""What the text embeddings in a checkpoint were made from: names, templates and CLIP."""
from pathlib import PurePath

from torch import nn

from ..clip.prompts import get_templates


def vocabularies(model: nn.Module) -> dict[str, nn.Module]:
    """The `Vocabulary` modules of a model, by the place of each."""
    from ..models.vocabulary import Vocabulary  # behind the ops fallback
    return {name: part for name, part in model.named_modules() if isinstance(part, Vocabulary)}


def vocabulary_of(model: nn.Module) -> nn.Module | None:
    """The `Vocabulary` that a model answers with, in other people's segmentors that of a head of
    ours; None where there is none."""
    own = getattr(model, 'vocabulary', None)
    return next(iter(vocabularies(model).values()), None) if own is None else own


def text_sources(model: nn.Module) -> dict[str, dict]:
    """Plain data: `classes`, `templates`, `arch` and `weights` of every part, by its place. A file of
    weights is its name, as its folder may move; None is a text tower that was left random. Of
    embeddings that were handed in, the names are all that is known."""
    return {place: dict(classes=list(part.rows)) | ({} if part.handed_in else dict(
        templates=_plain(part.templates), arch=part.arch.name,
        weights=part.weights and PurePath(part.weights).name))
        for place, part in vocabularies(model).items()}


def _plain(templates) -> str | list[str]:
    return templates if isinstance(templates, str) else list(templates)


def check_text_source(model: nn.Module, saved: dict[str, dict]) -> None:
    """That saved text embeddings are those which the model's config would make. A part that the
    checkpoint says nothing of is passed over; so are the weights where the config names none.

    Args:
        saved: what `text_sources` gave when the checkpoint was written.

    Raises:
        ValueError: other names, templates or CLIP weights; the first difference is named.
    """
    for place, ours in text_sources(model).items():
        theirs = saved.get(place) or {}
        for key in ('classes', 'templates', 'arch', 'weights'):
            if key not in theirs or key not in ours or (key == 'weights' and ours[key] is None):
                continue
            if not _same(key, theirs[key], ours[key]):
                there, here = _first_difference(theirs[key], ours[key])
                raise ValueError(
                    f"the checkpoint's text embeddings ({place}) were made from {key} {there}, the "
                    f"config's are from {here}. Give the config what the checkpoint was trained with, "
                    'or compute them anew: StrictLoadHook new_classes=True (--cfg-options '
                    'custom_hooks.0.new_classes=True), which a run that goes on may not.')


def _same(key: str, theirs, ours) -> bool:
    if theirs == ours or key != 'templates':
        return theirs == ours
    return get_templates(theirs) == get_templates(ours)


def _first_difference(theirs, ours) -> tuple[str, str]:
    if isinstance(theirs, list) and isinstance(ours, list):
        for one, other in zip(theirs, ours, strict=False):
            if one != other:
                return repr(one), repr(other)
        return f'{len(theirs)} entries', f'{len(ours)}'
    return repr(theirs), repr(ours)
