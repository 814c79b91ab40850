"""Overlaps of axis-aligned boxes."""

import torch


def bbox_overlaps(
    bboxes1: torch.Tensor,
    bboxes2: torch.Tensor,
    ious: torch.Tensor,
    mode: int,
    aligned: bool,
    offset: int,
) -> None:
    """Write IoU (mode 0) or intersection over the first box (mode 1) into `ious`.

    bboxes1 (M, 4), bboxes2 (N, 4) xyxy; `ious` is (M, N), or (M,) when `aligned` pairs them.
    """
    first, second = (bboxes1, bboxes2) if aligned else (bboxes1[:, None], bboxes2[None])
    inter, area1, area2 = _areas(first, second, offset)
    base = area1 + area2 - inter if mode == 0 else area1.expand_as(inter)
    ious.copy_(inter / base.clamp(min=offset))


def pairwise_iou(boxes1: torch.Tensor, boxes2: torch.Tensor, offset: int = 0) -> torch.Tensor:
    """IoU of xyxy boxes (M, 4) and (N, 4) -> (M, N)."""
    inter, area1, area2 = _areas(boxes1[:, None], boxes2[None], offset)
    return inter / (area1 + area2 - inter)


def _areas(first: torch.Tensor, second: torch.Tensor, offset: int) -> tuple[torch.Tensor, ...]:
    top_left = torch.maximum(first[..., :2], second[..., :2])
    bottom_right = torch.minimum(first[..., 2:], second[..., 2:])
    inter = (bottom_right - top_left + offset).clamp(min=0).prod(-1)
    sizes = (box[..., 2:] - box[..., :2] + offset for box in (first, second))
    area1, area2 = (size.prod(-1) for size in sizes)
    return inter, area1, area2
