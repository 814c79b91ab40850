"""What text embeddings were made from: names, templates and CLIP. Saved with them,
compared at load."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from ..clip.prompts import get_templates


def text_source(
    rows: Sequence[str],
    templates: str | Sequence[str],
    arch: str,
    weights: str | None,
    synonyms: str,
) -> dict:
    """Plain data. A file of weights is its name, as its folder may move; None is a text tower that
    was left random."""
    return dict(
        classes=list(rows),
        templates=templates if isinstance(templates, str) else list(templates),
        arch=arch,
        weights=weights and PurePath(weights).name,
        synonyms=synonyms,
    )


def check_text_source(ours: Mapping, theirs: Mapping, place: str) -> None:
    """That saved text embeddings are those which the model's config would make. What either does
    not say is passed over; so are the weights where the config names none.

    Args:
        ours, theirs: of the model and of the checkpoint, see `text_source`.
        place: of the embeddings in the model.

    Raises:
        ValueError: other names, templates or CLIP weights; the first difference is named.
    """
    for key in ('classes', 'templates', 'arch', 'weights', 'synonyms'):
        if key not in theirs or key not in ours or (key == 'weights' and ours[key] is None):
            continue
        if not _same(key, theirs[key], ours[key]):
            there, here = first_difference(theirs[key], ours[key])
            raise ValueError(
                f"the checkpoint's text embeddings ({place}) were made from {key} {there}, the "
                f"config's are from {here}. Give the config what the checkpoint was trained with, "
                'or compute them anew: StrictLoadHook new_classes=True (--cfg-options '
                'custom_hooks.0.new_classes=True), which a run that goes on may not.'
            )


def _same(key: str, theirs, ours) -> bool:
    if theirs == ours or key != 'templates':
        return theirs == ours
    return get_templates(theirs) == get_templates(ours)


def first_difference(theirs, ours) -> tuple[str, str]:
    """Of two lists the first entries that differ, or their lengths; of other values themselves."""
    if isinstance(theirs, list) and isinstance(ours, list):
        for one, other in zip(theirs, ours, strict=False):
            if one != other:
                return repr(one), repr(other)
        return f'{len(theirs)} entries', f'{len(ours)}'
    return repr(theirs), repr(ours)
