"""Of models of two stages: what a call gives is what `predict` gives."""

import numpy as np
import pytest
import torch

from mmseg_zsclip.apis import ZeroShotSegmenter, predictions
from mmseg_zsclip.toy import World

TASKS = ('semantic', 'instance', 'panoptic')
WORDS = ['house', 'sky', 'car', 'grass']


@pytest.fixture(scope='module')
def seg(tmp_path_factory, untrained):
    """MasQCLIP that is not trained; its proposals are cut from noise."""
    path = untrained('toy_masqclip', tmp_path_factory.mktemp('checkpoint') / 'a.pth')
    out = ZeroShotSegmenter('toy-masqclip', path, device='cpu')
    out.model.test_cfg.score_threshold = out.model.test_cfg.overlap_threshold = 0.0
    return out


@pytest.mark.parametrize('as_logits', [False, True])
def test_scores_and_segments_are_those_of_predict_at_another_size(seg, monkeypatch, as_logits):
    photo = World('toy', 192).scene('test', 0).image[:, :150]
    monkeypatch.setitem(seg.model.test_cfg, 'resize_logits', as_logits)
    seg._views.clear()
    view = seg.model.with_classes(WORDS, things=['house', 'car'])
    view.test_cfg.tasks = TASKS
    image, sample = seg.prepared(np.ascontiguousarray(photo[..., ::-1]))
    data = view.data_preprocessor(dict(inputs=[image], data_samples=[sample]), False)
    with torch.no_grad():
        (whole,) = view.predict(**data)
    out = seg(photo, WORDS, tasks=TASKS, things=['house', 'car'])
    np.testing.assert_allclose(out.scores, whole.seg_logits.data.numpy(), rtol=1e-3, atol=1e-5)
    assert (out.labels == whole.pred_sem_seg.data[0].numpy()).mean() > 0.999
    assert np.array_equal(out.panoptic, whole.pred_panoptic_seg.sem_seg[0].numpy())
    theirs = whole.pred_instances
    kept = [i for i in range(len(theirs)) if theirs.masks[i].any()]
    best = out.instances[0]
    assert best.score == pytest.approx(float(theirs.scores[kept[0]]))
    assert np.array_equal(best.mask, theirs.masks[kept[0]].numpy())
    assert best.box == tuple(theirs.bboxes[kept[0]].int().tolist())


def test_masks_of_large_photos_are_made_smaller_and_enlarged(seg, monkeypatch):
    photo = World('toy', 192).scene('test', 0).image
    whole = seg(photo, WORDS, tasks=TASKS)
    monkeypatch.setattr(predictions, 'MASK_PIXELS', 96 * 96)
    small = seg(photo, WORDS, tasks=TASKS)
    assert small.instances[0].small.shape == (96, 96)
    assert small.instances[0].mask.shape == small.panoptic.shape == small.labels.shape == (192, 192)
    assert np.array_equal(small.labels, whole.labels)
    assert np.abs(np.subtract(small.instances[0].box, whole.instances[0].box)).max() <= 4
    assert (small.panoptic == whole.panoptic).mean() > 0.9


def test_a_photo_without_proposals_has_no_class(seg, monkeypatch):
    fused = type(seg.model).fused

    def nothing(self, *args, **options):
        return [(scores[:0], masks[:0]) for scores, masks in fused(self, *args, **options)]

    monkeypatch.setattr(type(seg.model), 'fused', nothing)
    out = seg(np.zeros((20, 30, 3), np.uint8), WORDS, tasks=TASKS)
    assert (out.labels == out.ignored).all()
    assert out.instances == []
    assert (out.panoptic == len(WORDS)).all()
    assert out.confidence == 0
    assert out.regions == []


def test_a_model_that_needs_the_truth_says_so(seg, monkeypatch):
    monkeypatch.setattr(type(seg.model.generator), 'needs_labels', True)
    with pytest.raises(ValueError, match='reads the true label map'):
        seg(np.zeros((20, 30, 3), np.uint8), WORDS)


def test_words_for_everything_else_are_no_things(seg):
    out = seg(np.zeros((20, 30, 3), np.uint8), 'house', tasks=TASKS)
    assert {one.name for one in out.instances} <= {'house'}
    assert set(np.unique(out.panoptic % 1000)) <= {0, 1, 2}
