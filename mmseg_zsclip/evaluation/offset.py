"""Choosing how much to subtract from seen classes, without looking at unseen masks."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .scores import pixel_areas, summarise


def sweep_offsets(
    scores: Tensor,
    label: Tensor,
    seen: Sequence[int],
    held_out: Sequence[int],
    offsets: Sequence[float],
    ignore_index: int,
) -> Tensor:
    """Pixel areas of one image at every offset, between seen and held-out classes alone.

    Args:
        scores: (C, H, W), nothing subtracted.
        label: (H, W); pixels of neither group count nowhere.
        seen: classes whose score is lowered.
        held_out: classes that played the unseen part.
        offsets: what to try, in the units of `scores`.
        ignore_index: value of ignored pixels.

    Returns:
        (offsets, 3, C) int64: right, predicted and true pixels, as `pixel_areas` gives them.
    """
    seen, held_out = (torch.as_tensor(rows, device=label.device) for rows in (seen, held_out))
    label = label.where(torch.isin(label, torch.cat([seen, held_out])), ignore_index)
    best_seen, row_seen = scores[seen].max(0)
    best_held, row_held = scores[held_out].max(0)
    return torch.stack(
        [
            pixel_areas(
                seen[row_seen].where(best_seen - offset >= best_held, held_out[row_held]),
                label,
                len(scores),
                ignore_index,
            )
            for offset in offsets
        ]
    )


def offset_table(areas: Tensor, held_out: Sequence[int], offsets: Sequence[float]) -> list[dict]:
    """One row an offset: `offset`, `mIoU(S)`, `mIoU(U)` (of the held-out classes) and `hIoU`."""
    rows = []
    for offset, area in zip(offsets, areas, strict=True):
        scores = summarise(area.cpu().numpy(), tuple(held_out))
        rows.append(
            dict(
                offset=offset,
                **{key: scores.get(key, 0.0) for key in ('mIoU(S)', 'mIoU(U)', 'hIoU')},
            )
        )
    return rows
