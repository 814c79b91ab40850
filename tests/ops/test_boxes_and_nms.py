import numpy as np
import pytest
import torch
from mmcv import ops as mmcv_ops


def random_boxes(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 20
    size = torch.rand(count, 2, generator=generator) * 15 + 1
    # Distinct scores: which of two equals comes first is nobody's contract.
    scores = torch.randperm(count, generator=generator).float() / count + 0.001
    return torch.cat([corner, corner + size], 1), scores


def iou_by_hand(a, b, offset=0, mode='iou'):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    area_a, area_b = ((x[2] - x[0] + offset) * (x[3] - x[1] + offset) for x in (a, b))
    return w * h / (area_a + area_b - w * h if mode == 'iou' else area_a)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('mode', ['iou', 'iof'])
def test_bbox_overlaps_equals_the_formula(mode, offset):
    first, second = random_boxes(7)[0], random_boxes(7, seed=1)[0][:5]
    got = mmcv_ops.bbox_overlaps(first, second, mode=mode, offset=offset)
    want = [[iou_by_hand(a, b, offset, mode) for b in second.tolist()] for a in first.tolist()]
    assert torch.allclose(got, torch.tensor(want), atol=1e-5)
    paired = mmcv_ops.bbox_overlaps(first[:5], second, mode=mode, aligned=True, offset=offset)
    assert torch.allclose(paired, torch.tensor(want)[:5].diagonal(), atol=1e-5)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.2, 0.5])
def test_nms_keeps_what_the_greedy_loop_keeps(threshold, offset):
    boxes, scores = random_boxes(40)
    left, want = scores.argsort(descending=True).tolist(), []
    while left:
        best, *left = left
        want.append(best)
        left = [
            i
            for i in left
            if iou_by_hand(boxes[best].tolist(), boxes[i].tolist(), offset) <= threshold
        ]
    dets, kept = mmcv_ops.nms(boxes, scores, threshold, offset=offset)
    assert kept.tolist() == want
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], 1)[want])


def test_nms_takes_half_precision_scores_and_no_boxes():
    boxes, scores = random_boxes(6)
    dets, kept = mmcv_ops.nms(boxes, scores.half(), 0.5)
    assert len(dets) == len(kept)
    dets, kept = mmcv_ops.nms(boxes[:0], scores[:0], 0.5)
    assert dets.shape == (0, 5)


def test_batched_nms_never_suppresses_across_classes():
    boxes, _ = random_boxes(1)
    twice, both = boxes.repeat(2, 1), torch.tensor([0.9, 0.8])
    classes = torch.tensor([0, 1])
    assert len(mmcv_ops.batched_nms(twice, both, classes, {'iou_threshold': 0.5})[1]) == 2
    assert len(mmcv_ops.batched_nms(twice, both, classes, {'iou_threshold': 0.5}, True)[1]) == 1


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_decays_as_the_loop_does(method):
    boxes, scores = random_boxes(12)
    live = dict(enumerate(scores.double().tolist()))
    want = []
    while live:
        best = max(live, key=live.get)
        want.append((best, live.pop(best)))
        for i in list(live):
            iou = iou_by_hand(boxes[best].tolist(), boxes[i].tolist())
            if method == 'gaussian':
                live[i] *= np.exp(-(iou**2) / 0.5)
            elif iou >= 0.3:
                live[i] *= 1 - iou if method == 'linear' else 0
            if live[i] < 0.05:
                del live[i]
    dets, kept = mmcv_ops.soft_nms(boxes, scores, 0.3, 0.5, 0.05, method)
    assert kept.tolist() == [index for index, _ in want]
    assert torch.allclose(dets[:, 4], torch.tensor([score for _, score in want]).float(), atol=1e-5)
    assert torch.equal(dets[:, :4], boxes[kept])


def test_soft_nms_of_no_boxes():
    dets, kept = mmcv_ops.soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert dets.shape == (0, 5)
    assert kept.shape == (0,)


def test_nms_match_groups_every_box_once_with_its_keeper_first():
    boxes, scores = random_boxes(25)
    groups = mmcv_ops.nms_match(torch.cat([boxes, scores[:, None]], 1), 0.3)
    assert sorted(torch.cat(groups).tolist()) == list(range(25))
    for group in groups:
        keeper, *rest = group.tolist()
        assert group.tolist() == sorted(group.tolist(), key=lambda i: -scores[i])
        for other in rest:
            assert iou_by_hand(boxes[keeper].tolist(), boxes[other].tolist()) >= 0.3
