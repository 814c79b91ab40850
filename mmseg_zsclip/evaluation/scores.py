"""From label maps to the numbers of a zero-shot table: plain functions on tensors and arrays."""
import numpy as np
import torch
from torch import Tensor


def pixel_areas(pred: Tensor, label: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """Pixels of each class: right ones, predicted ones, true ones, as (3, C) int64.

    Args:
        pred: (H, W) predicted classes, 0 to C-1.
        label: (H, W) true classes, 0 to C-1, or ``ignore_index`` (those pixels count nowhere).
        num_classes: C.
        ignore_index: value of an ignored pixel.

    Raises:
        ValueError: shapes differ, or a value outside the classes.
    """
    if pred.shape != label.shape:
        raise ValueError(
            f'prediction and ground truth differ in shape: {tuple(pred.shape)} and'
            f' {tuple(label.shape)}. The model must resize its prediction to the ground truth.')
    kept = label != ignore_index
    pred, label = pred[kept].long(), label[kept].long()
    if not len(label):
        return torch.zeros(3, num_classes, dtype=torch.int64, device=pred.device)
    for name, values in (('prediction', pred), ('ground truth', label)):
        low, high = (int(v) for v in values.aminmax())
        if low < 0 or high >= num_classes:
            hint = (' -1 marks hidden unseen pixels: HideUnseen belongs to training only.'
                    if name == 'ground truth' and low == -1 else '')
            raise ValueError(
                f'{name} holds {low if low < 0 else high}; legal: 0 to {num_classes - 1}'
                f' ({num_classes} classes) and, in the ground truth, {ignore_index} (ignored).'
                f'{hint} Do the model and the data set have the same class list?')
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
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.


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
