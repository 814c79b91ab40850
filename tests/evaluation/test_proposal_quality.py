"""Recall of proposals, and the correlation of their scores with their IoU."""

import numpy as np
import pytest
import torch

from mmseg_zsclip.evaluation import ProposalMetric
from mmseg_zsclip.evaluation.proposal_quality import correlation

LABELS = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 255, 255]])
THINGS = np.array([[1, 1, 2, 2, 0, 0, 0, 0], [0] * 8])


def metric(**kwargs):
    out = ProposalMetric(**kwargs)
    out.dataset_meta = dict(classes=('cat', 'sky', 'boat'), unseen=('boat',))
    return out


def sample(masks, scores, **meta):
    proposals = dict(masks=torch.as_tensor(masks).float(), scores=torch.as_tensor(scores).float())
    return dict(proposals=proposals, gt_sem_seg=dict(data=LABELS[None]), **meta)


def boxes(*ranges):
    masks = torch.zeros(len(ranges), 2, 8)
    for mask, (row, first, last) in zip(masks, ranges, strict=True):
        mask[row, first:last] = 1
    return masks


def test_recall_counts_each_thing_and_each_class_of_the_rest():
    masks = boxes((0, 0, 2), (0, 4, 6), (1, 0, 2))  # one cat, half the sky, a third of the boat
    counted = metric()
    counted.process({}, [sample(masks, torch.rand(3, 3), instance_map=THINGS)])
    found = counted.evaluate(1)
    assert found['recall(S)'] == pytest.approx(200 / 3)
    assert found['recall(U)'] == 0
    assert found['recall'] == 50
    strict = metric(iou=0.51)
    strict.process({}, [sample(masks, torch.rand(3, 3), instance_map=THINGS)])
    assert strict.evaluate(1)['recall(S)'] == pytest.approx(100 / 3)


def test_without_instances_a_segment_is_a_class():
    counted = metric()
    counted.process({}, [sample(boxes((0, 0, 2), (1, 0, 6)), torch.rand(2, 3))])
    found = counted.evaluate(1)
    assert (found['recall(S)'], found['recall(U)']) == (50, 100)


def test_correlation_is_numpys_over_pairs_that_share_a_pixel():
    counted, pairs = metric(), []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        masks = (torch.rand(6, 2, 8, generator=generator) > 0.7).float()
        scores = torch.rand(6, 3, generator=generator)
        counted.process({}, [sample(masks, scores)])
        for c in range(3):
            true = (LABELS == c).float()
            for mask, score in zip(masks, scores[:, c], strict=True):
                both = (mask * true).sum()
                if both > 0:
                    pairs.append((float(score), float(both / ((mask + true) > 0).sum()), c))
    found = counted.evaluate(3)
    for key, classes in {'score_IoU_r': (0, 1, 2), '(S)': (0, 1), '(U)': (2,)}.items():
        x, y = zip(*[(a, b) for a, b, c in pairs if c in classes], strict=True)
        key = key if key.startswith('score') else 'score_IoU_r' + key
        assert found[key] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)


def test_no_proposal_meets_nothing_and_what_does_not_vary_has_no_correlation():
    counted = metric()
    counted.process({}, [sample(torch.zeros(0, 2, 8), torch.zeros(0, 3))])
    assert counted.evaluate(1) == {'recall': 0, 'recall(S)': 0, 'recall(U)': 0}
    assert correlation(torch.tensor([3.0, 3, 2, 3, 2, 2])) is None


def test_wrong_use_says_what_to_do():
    with pytest.raises(ValueError, match=r'iou is 0; legal values: above 0, up to 1'):
        ProposalMetric(iou=0)
    with pytest.raises(ValueError, match=r'has no proposals.*keep_proposals=True'):
        metric().process({}, [dict(gt_sem_seg=dict(data=LABELS[None]))])
