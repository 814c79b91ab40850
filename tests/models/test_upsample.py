"""Strips and contenders change nothing: the argmax is that of the whole interpolation."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.models import upsample
from mmseg_zsclip.models.upsample import best_classes, contenders


def whole(scores, sizes, align_corners=False):
    for size in sizes:
        scores = F.interpolate(scores, size, mode='bilinear', align_corners=align_corners)
    return scores.argmax(1)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize(
    'sizes',
    [[(64, 96)], [(7, 9)], [(64, 96), (50, 110)], [(64, 96), (20, 30)], [(5, 3)], [(120, 9)]],
)
def test_labels_are_those_of_the_whole_interpolation(monkeypatch, sizes, align_corners):
    torch.manual_seed(0)
    scores = F.interpolate(torch.randn(2, 30, 3, 4), (7, 9), mode='bicubic')
    scores += 0.2 * torch.randn_like(scores)
    expected = whole(scores, sizes, align_corners)
    for strip in (1, 2**18):
        monkeypatch.setattr(upsample, 'STRIP', strip)
        labels = best_classes(scores, sizes, align_corners)
        assert labels.dtype == torch.int64
        assert labels.shape == expected.shape
        assert (labels == expected).float().mean() > 0.999  # rounding decides near ties
    assert expected.unique().numel() > 3 or min(sizes[-1]) < 6


def test_a_class_that_wins_only_between_positions_is_found():
    scores = torch.zeros(1, 3, 1, 2)
    scores[0, :, 0] = torch.tensor([[4.0, 0.0], [0.0, 4.0], [3.0, 3.0]])
    assert contenders(scores, (1, 2))[:, 0].all()
    assert best_classes(scores, [(1, 16)])[0, 0].unique().tolist() == [0, 1, 2]


def test_classes_that_cannot_win_are_left_out():
    torch.manual_seed(0)
    scores = torch.randn(1, 50, 8, 8)
    scores[:, 0] += 20
    scores[:, 7, 3] += 40
    found = contenders(scores, (2, 2))
    assert found.sum(0).tolist() == [1, 1, 2, 2, 1, 1, 1]


def test_nan_is_named():
    scores = torch.zeros(1, 3, 4, 4)
    scores[0, 1, 2, 3] = float('nan')
    with pytest.raises(ValueError, match='1 of 48 scores are NaN'):
        best_classes(scores, [(8, 8)])


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('value', [float('-inf'), float('inf')])
def test_infinity_forbids_or_wins_where_it_counts_and_changes_no_other_pixel(value, align_corners):
    torch.manual_seed(0)
    scores = torch.randn(1, 5, 6, 6)
    special = scores.clone()
    special[0, 2, 3, 3] = value
    labels, plain = (best_classes(one, [(24, 24)], align_corners)[0] for one in (special, scores))
    weight = torch.zeros(1, 1, 6, 6)
    weight[0, 0, 3, 3] = 1
    counts = (
        F.interpolate(weight, (24, 24), mode='bilinear', align_corners=align_corners)[0, 0] > 1e-6
    )
    assert counts.any()
    assert (labels[~counts] == plain[~counts]).all()
    assert ((labels[counts] == 2) == (value > 0)).all()


def test_a_class_that_is_forbidden_everywhere_is_nowhere():
    scores = torch.randn(1, 4, 5, 5)
    scores[0, 1] = float('-inf')
    assert 1 not in best_classes(scores, [(20, 20)])
    assert (best_classes(torch.full((1, 4, 5, 5), float('-inf')), [(10, 10)]) == 0).all()


def test_labels_under_autocast_are_those_without():
    torch.manual_seed(0)
    scores = torch.randn(1, 30, 7, 9)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low = best_classes(scores, [(64, 96)])
    assert torch.equal(low, best_classes(scores, [(64, 96)]))
