"""The numbers: against a loop over classes, and against mmseg's own IoUMetric."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_zsclip.evaluation.scores import harmonic_mean, pixel_areas, summarise


def brute_force(pred, label, num_classes, unseen, ignore):
    """Every number of the contract, one class and one definition at a time."""
    kept = label != ignore
    iou, acc = {}, {}
    for c in range(num_classes):
        p, t = (pred == c) & kept, (label == c) & kept
        if (p | t).any():
            iou[c] = 100 * (p & t).sum() / (p | t).sum()
        if t.any():
            acc[c] = 100 * (p & t).sum() / t.sum()
    out = {}
    groups = {'': set(range(num_classes))}
    if unseen:
        groups |= {'(S)': groups[''] - set(unseen), '(U)': set(unseen)}
    for group, members in groups.items():
        pixels = np.isin(label, list(members)) & kept
        if pixels.any():
            out[f'pAcc{group}'] = 100 * (pred == label)[pixels].mean()
        for key, values in (('mAcc', acc), ('mIoU', iou)):
            values = [v for c, v in values.items() if c in members]
            if values:
                out[f'{key}{group}'] = sum(values) / len(values)
    if 'mIoU(S)' in out and 'mIoU(U)' in out:
        s, u = out['mIoU(S)'], out['mIoU(U)']
        out['hIoU'] = 2 * s * u / (s + u) if s + u else 0
    return out


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_all_keys_equal_a_brute_force_computation(data):
    num_classes = data.draw(st.integers(2, 300))
    ignore = 255 if num_classes < 255 else 65535
    used = data.draw(st.lists(st.integers(0, num_classes - 1), min_size=1, max_size=6))
    unseen = tuple(
        sorted(
            data.draw(st.sets(st.sampled_from(used) | st.integers(0, num_classes - 1), max_size=3))
        )
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shape = rng.integers(1, 9, 2)
    pred, label = rng.choice(used, shape), rng.choice(used + [ignore], shape)
    areas = pixel_areas(torch.tensor(pred), torch.tensor(label), num_classes, ignore)
    expected = brute_force(pred, label, num_classes, unseen, ignore)
    assert summarise(areas.numpy(), unseen) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('num_classes', [2, 21, 171])
def test_miou_equals_mmsegs_iou_metric(num_classes):
    from mmseg.evaluation import IoUMetric

    torch.manual_seed(num_classes)
    metric, total = IoUMetric(), 0
    for _ in range(3):
        label = torch.randint(0, num_classes, (17, 23))
        pred = torch.where(torch.rand(17, 23) < 0.5, label, label.flip(0))
        label[torch.rand(17, 23) < 0.1] = 255
        total = total + pixel_areas(pred, label, num_classes, 255).numpy()
        metric.results.append(metric.intersect_and_union(pred, label, num_classes, 255))
    metric.dataset_meta = dict(classes=[str(c) for c in range(num_classes)])
    theirs, ours = metric.compute_metrics(metric.results), summarise(total, (0,))
    for key, other in (('mIoU', 'mIoU'), ('mAcc', 'mAcc'), ('pAcc', 'aAcc')):
        assert ours[key] == pytest.approx(float(theirs[other]), abs=0.0051)


def test_hand_made_table_so_that_unseen_accuracy_is_not_the_total():
    # right, predicted, true pixels of road, car, tree (unseen), fence (unseen, absent)
    areas = np.array([[60, 10, 5, 0], [80, 20, 5, 0], [70, 15, 20, 0]])
    out = summarise(areas, (2, 3))
    assert out['mIoU(S)'] == pytest.approx(100 * (60 / 90 + 10 / 25) / 2)
    assert out['mIoU(U)'] == pytest.approx(100 * 5 / 20)
    assert out['mIoU'] == pytest.approx(100 * (60 / 90 + 10 / 25 + 5 / 20) / 3)
    assert out['hIoU'] == pytest.approx(harmonic_mean(out['mIoU(S)'], 25.0))
    assert out['pAcc'] == pytest.approx(100 * 75 / 105)
    assert out['pAcc(S)'] == pytest.approx(100 * 70 / 85)
    assert out['pAcc(U)'] == pytest.approx(100 * 5 / 20)


def test_hiou_of_two_zeros_is_zero():
    assert harmonic_mean(0.0, 0.0) == 0.0


def test_keys_without_unseen_pixels_are_left_out_and_never_nan():
    areas = np.array([[3, 0], [3, 0], [3, 0]])
    assert set(summarise(areas, ())) == {'pAcc', 'mAcc', 'mIoU'}
    out = summarise(areas, (1,))
    assert 'mIoU(U)' not in out
    assert 'hIoU' not in out
    assert not any(np.isnan(v) for v in out.values())


@pytest.mark.parametrize(
    ('pred', 'label', 'message'),
    [
        ([3], [0], 'prediction holds 3; legal: 0 to 2'),
        ([0], [7], 'ground truth holds 7; legal: 0 to 2'),
        ([0], [-1], 'HideUnseen belongs to training only'),
        ([0, 1], [0], 'differ in shape'),
    ],
)
def test_values_outside_the_classes_are_an_error(pred, label, message):
    with pytest.raises(ValueError, match=message):
        pixel_areas(torch.tensor(pred), torch.tensor(label), 3, 255)


def test_an_image_of_ignored_pixels_counts_nothing():
    assert pixel_areas(torch.zeros(4), torch.full((4,), 255), 3, 255).sum() == 0
