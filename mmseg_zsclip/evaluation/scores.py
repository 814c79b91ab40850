"""From label maps to the numbers of a zero-shot table: plain functions on tensors and arrays."""

import numpy as np
import torch
from torch import Tensor


def checked_prediction(pred: Tensor, scores: Tensor | None, photo: str) -> Tensor:
    """(H, W) integer labels of a prediction, of whatever segmentor.

    Args:
        pred: (1, H, W) or (H, W); floats are taken where they are whole, as mmseg's binary heads
            make them.
        scores: (C, H, W) that it is the argmax of, where they are known. -infinity is legal, a
            class that is forbidden.
        photo: named in errors.

    Raises:
        ValueError: scores with NaN or +infinity, whose argmax looks like labels; another shape;
            fractions.
    """
    if scores is not None and scores.numel() and not scores.max() < torch.inf:  # NaN is the maximum
        bad = int((~(scores < torch.inf)).sum())
        raise ValueError(
            f'{photo}: {bad} of {scores.numel()} scores of the prediction are NaN or infinity, of '
            'which no class is the best. Look at the photo and at the weights.'
        )
    labels = pred[0] if pred.ndim == 3 and len(pred) == 1 else pred
    if labels.ndim != 2:
        raise ValueError(
            f'{photo}: the prediction has shape {tuple(pred.shape)}; legal: (1, H, W), one label a'
            ' pixel. Give the argmax over the classes.'
        )
    if labels.is_floating_point():
        wrong = labels[labels != labels.round()]  # NaN too
        if len(wrong):
            raise ValueError(
                f'{photo}: the prediction holds {wrong[0].item():.6g}, which is no label; legal: '
                'whole numbers. Give the argmax over the classes, not scores.'
            )
        labels = labels.long()
    return labels


def pixel_areas(pred: Tensor, label: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """Pixels of each class: right ones, predicted ones, true ones, as (3, C) int64.

    Args:
        pred: (H, W) predicted classes, 0 to C-1.
        label: (H, W) true classes, 0 to C-1, or `ignore_index` (those pixels count nowhere).
        num_classes: C.
        ignore_index: value of an ignored pixel.

    Raises:
        ValueError: shapes differ, or a value outside the classes.
    """
    if pred.shape != label.shape:
        raise ValueError(
            f'prediction and ground truth differ in shape: {tuple(pred.shape)} and'
            f' {tuple(label.shape)}. The model must resize its prediction to the ground truth.'
        )
    kept = label != ignore_index
    pred, label = pred[kept].long(), label[kept].long()
    if not len(label):
        return torch.zeros(3, num_classes, dtype=torch.int64, device=pred.device)
    for name, values in (('prediction', pred), ('ground truth', label)):
        low, high = (int(v) for v in values.aminmax())
        if low < 0 or high >= num_classes:
            hint = (
                ' -1 marks hidden unseen pixels: HideUnseen belongs to training only.'
                if name == 'ground truth' and low == -1
                else ''
            )
            raise ValueError(
                f'{name} holds {low if low < 0 else high}; legal: 0 to {num_classes - 1}'
                f' ({num_classes} classes) and, in the ground truth, {ignore_index} (ignored).'
                f'{hint} Do the model and the data set have the same class list?'
            )
    counted = (label[pred == label], pred, label)
    return torch.stack([torch.bincount(values, minlength=num_classes) for values in counted])


def class_scores(areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU and accuracy of each class in percent, (C,) each; NaN where a class has no pixel.

    Args:
        areas: (3, C) right, predicted and true pixels.
    """
    right, predicted, true = areas.astype(np.float64)
    with np.errstate(divide='ignore', invalid='ignore'):
        return 100 * right / (predicted + true - right), 100 * right / true


def harmonic_mean(seen: float, unseen: float) -> float:
    """hIoU = 2SU / (S + U); 0 where both are 0."""
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0


def summarise(areas: np.ndarray, unseen: tuple[int, ...]) -> dict[str, float]:
    """The contract's keys, in percent, from one argmax over all classes.

    A mean leaves out classes that have no pixel; a key whose mean is over nothing (no unseen
    class, or none of them in ground truth and prediction) is not there.

    Args:
        areas: (3, C) right, predicted and true pixels, summed over the data set.
        unseen: label values of the unseen classes.
    """
    iou, acc = class_scores(areas)
    hidden = np.isin(np.arange(len(iou)), unseen)
    groups = {'': np.ones_like(hidden)}
    if unseen:
        groups |= {'(S)': ~hidden, '(U)': hidden}
    out = {}
    for group, rows in groups.items():
        right, _, true = areas[:, rows].sum(1)
        out[f'pAcc{group}'] = 100 * float(right) / float(true) if true else np.nan
        out[f'mAcc{group}'] = _mean(acc[rows])
        out[f'mIoU{group}'] = _mean(iou[rows])
    if unseen:
        out['hIoU'] = harmonic_mean(out['mIoU(S)'], out['mIoU(U)'])
    return {key: value for key, value in out.items() if not np.isnan(value)}


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan
