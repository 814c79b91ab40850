import torch

from mmseg_zsclip.evaluation.offset import offset_table, sweep_offsets
from mmseg_zsclip.evaluation.scores import pixel_areas


def test_sweep_equals_subtracting_and_taking_the_best_of_the_two_groups():
    torch.manual_seed(0)
    scores, label = torch.rand(5, 6, 7), torch.randint(0, 5, (6, 7))
    label[0] = 255
    seen, held, offsets = [0, 3], [1], [0.0, 0.2, 0.9]
    areas = sweep_offsets(scores, label, seen, held, offsets, 255)
    for offset, area in zip(offsets, areas, strict=True):
        lowered = scores.clone()
        lowered[seen] -= offset
        lowered[[2, 4]] = -torch.inf  # the really unseen classes
        known = label.where(~torch.isin(label, torch.tensor([2, 4])), 255)
        assert torch.equal(area, pixel_areas(lowered.argmax(0), known, 5, 255))


def test_labels_of_really_unseen_classes_change_nothing():
    torch.manual_seed(0)
    scores, label = torch.rand(4, 6, 7), torch.randint(0, 4, (6, 7))
    poisoned = label.where(label != 2, 255)
    first, second = (sweep_offsets(scores, x, [0, 1], [3], [0.1], 255) for x in (label, poisoned))
    assert torch.equal(first, second)


def test_table_reports_seen_and_held_out():
    areas = torch.tensor([[[4, 0, 2], [5, 0, 3], [6, 0, 2]]])
    (row,) = offset_table(areas, [2], [0.1])
    assert row['mIoU(S)'] == 100 * 4 / 7
    assert row['mIoU(U)'] == 100 * 2 / 3
    assert row['offset'] == 0.1
