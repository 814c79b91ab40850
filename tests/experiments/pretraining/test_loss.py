import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.experiments.pretraining.loss import contrastive_loss, one_way_nce, patch_tag_loss


def brute_force(logits, target):
    rows = []
    for row, truth in zip(logits.tolist(), target.tolist(), strict=True):
        negatives = [math.exp(x) for x, t in zip(row, truth, strict=True) if t == 0]
        each = [
            -math.log(math.exp(x) / (math.exp(x) + sum(negatives)))
            for x, t in zip(row, truth, strict=True)
            if t == 1
        ]
        if each:
            rows.append(sum(each) / len(each))
    return sum(rows) / max(len(rows), 1)


@pytest.mark.parametrize('seed', range(5))
def test_loss_equals_brute_force(seed):
    torch.manual_seed(seed)
    logits, target = 3 * torch.randn(4, 6), torch.randint(-1, 2, (4, 6))
    target[0] = -1
    expected = (brute_force(logits, target) + brute_force(logits.T, target.T)) / 2
    assert contrastive_loss(logits, target).item() == pytest.approx(expected, abs=1e-5)


def test_one_caption_an_image_is_clips_cross_entropy():
    logits = torch.randn(5, 5)
    expected = (
        F.cross_entropy(logits, torch.arange(5)) + F.cross_entropy(logits.T, torch.arange(5))
    ) / 2
    assert torch.allclose(contrastive_loss(logits, torch.eye(5).long()), expected, atol=1e-6)


def test_doubtful_pairs_say_nothing():
    logits, target = torch.randn(3, 4, requires_grad=True), torch.tensor([[1, 0, -1, 0]] * 3)
    one_way_nce(logits, target).backward()
    assert (logits.grad[:, 2] == 0).all()
    assert (logits.grad[:, :2] != 0).all()


def test_rows_without_positives_or_negatives_stay_finite():
    logits = torch.randn(2, 3, requires_grad=True)
    for value in (0, 1, -1):
        loss = contrastive_loss(logits, torch.full((2, 3), value))
        loss.backward()
        assert loss.item() == 0
        assert logits.grad.isfinite().all()


def test_patch_loss_equals_its_definition():
    torch.manual_seed(0)
    logits, tags = torch.randn(2, 5, 4), torch.tensor([[1, 0, -1], [0, 1, 1]])
    q = logits.softmax(-1)[..., :3]
    hits, misses = [], []
    for b in range(2):
        for c in range(3):
            ranked = sorted(q[b, :, c].tolist(), reverse=True)
            if tags[b, c] == 1:
                hits.append(-math.log(sum(ranked[:2]) / 2))
            if tags[b, c] == 0:
                misses.append(-math.log(1 - ranked[0]))
    expected = sum(hits) / len(hits) + sum(misses) / len(misses)
    assert patch_tag_loss(logits, tags, top=2).item() == pytest.approx(expected, abs=1e-5)
