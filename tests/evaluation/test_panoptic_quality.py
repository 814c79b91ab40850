"""PQ from the definition: matches, crowds, void, and what is said when it cannot be counted."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.evaluation.areas import read_arrays
from mmseg_zsclip.evaluation.panoptic_quality import (
    PanopticCounts,
    PanopticQualityMetric,
    panoptic_counts,
    panoptic_scores,
    true_ids,
)

C = 3  # cat and dog are things, sky is stuff; 3 is void
CAT, DOG, SKY = range(C)


def row(*parts):
    """A map of one line from (length, id) pairs."""
    return torch.cat([torch.full((1, length), value) for length, value in parts], dim=1)


def counts(ids, truth):
    return panoptic_counts(ids, truth, [CAT, DOG], C)


def test_a_match_is_an_iou_above_a_half_of_one_class():
    truth = row((10, 1000 + CAT), (10, SKY))
    out = counts(row((6, 1000 + CAT), (4, 2000 + DOG), (10, SKY)), truth)
    assert out[0].tolist() == [0.6, 0, 1]
    assert out[1:].tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    half = counts(row((5, 1000 + CAT), (5, C), (10, SKY)), truth)  # exactly a half is none
    assert half[1:, CAT].tolist() == [0, 1, 1]


def test_the_number_of_a_thing_does_not_matter_but_its_being_apart_does():
    truth = row((10, 1000 + CAT), (10, 2000 + CAT))
    assert counts(row((10, 7000 + CAT), (10, 3000 + CAT)), truth)[0, CAT] == 2
    assert counts(row((20, 1000 + CAT)), truth)[1:, CAT].tolist() == [0, 1, 2]


def test_void_is_left_out_of_unions_and_forgives_what_lies_in_it():
    truth = row((10, 1000 + CAT), (10, C))
    out = counts(row((10, 1000 + CAT), (2, 1000 + CAT), (8, 2000 + DOG)), truth)
    assert out[:, CAT].tolist() == [1, 1, 0, 0]
    assert out[:, DOG].tolist() == [0, 0, 0, 0]


def test_a_crowd_is_not_missed_and_forgives_its_class_alone():
    truth = row((20, CAT))
    assert not counts(row((8, 1000 + CAT), (12, C)), truth).any()
    out = counts(row((8, 1000 + DOG), (12, C)), truth)
    assert out[:, DOG].tolist() == [0, 0, 1, 0]


def test_means_leave_out_what_is_nowhere():
    table = np.zeros((4, C))
    table[:, CAT] = 1.6, 2, 1, 1
    table[:, SKY] = 0, 0, 0, 1
    out = panoptic_scores(table, [CAT, DOG])
    assert out['PQ(th)'] == pytest.approx(100 * 0.8 * 2 / 3)
    assert out['SQ(th)'] == pytest.approx(80)
    assert out['RQ(th)'] == pytest.approx(200 / 3)
    assert out['PQ'] == pytest.approx(out['PQ(th)'] / 2)
    assert 'PQ(st)' not in panoptic_scores(table * (np.arange(C) == CAT), [CAT, DOG])


def test_the_truth_comes_from_labels_and_numbers():
    labels, numbers = torch.tensor([[0, 0, 2, 255, -1]]), torch.tensor([[0, 4, 5, 6, 7]])
    assert true_ids(labels, numbers, [CAT, DOG], C).tolist() == [[CAT, 4000 + CAT, SKY, C, C]]


def sample(ids, labels, numbers=None):
    out = SegDataSample(
        metainfo=dict(img_path='a.png')
        | (dict(instance_map=numbers) if numbers is not None else {}),
        gt_sem_seg=PixelData(data=labels[None]),
    )
    if ids is not None:
        out.pred_panoptic_seg = PixelData(sem_seg=ids[None])
    return out.to_dict()


def metric(**options):
    out = PanopticQualityMetric(**options)
    out.dataset_meta = dict(classes=('cat', 'dog', 'sky'), things=['cat', 'dog'])
    return out


def test_the_metric_sums_photos_in_any_order_and_any_batches():
    labels, numbers = row((10, CAT), (6, SKY), (4, 255)), row((5, 1), (5, 2), (10, 0)).numpy()
    photos = [
        sample(row((5, 1000 + CAT), (5, 2000 + CAT), (10, SKY)), labels, numbers),
        sample(row((10, 1000 + CAT), (10, SKY)), labels, numbers),
    ]
    whole, parts = metric(), [metric(), metric()]
    whole.process({}, photos)
    for one, photo in zip(parts, photos, strict=True):
        one.process({}, [photo])
    out = whole.evaluate(2)
    assert out['PQ(th)'] == pytest.approx(100 * 2 / (2 + 0.5 + 1))
    assert out['PQ(st)'] == 100
    assert out == whole.compute_metrics(parts[1].results + parts[0].results)


def test_what_it_needs_is_named():
    labels = row((10, CAT))
    with pytest.raises(ValueError, match='a.png has no instance map, so its things cannot'):
        metric().process({}, [sample(row((10, CAT)), labels)])
    metric(things=[]).process({}, [sample(row((10, CAT)), labels)])
    with pytest.raises(ValueError, match='a.png has no panoptic segments'):
        metric().process({}, [sample(None, labels)])
    silent = PanopticQualityMetric()
    silent.dataset_meta = dict(classes=('cat', 'dog', 'sky'))
    with pytest.raises(ValueError, match='does not know which classes are things'):
        silent.process({}, [sample(row((10, CAT)), labels)])
    with pytest.raises(ValueError, match='panoptic map holds class 7; legal: 0 to 2'):
        counts(row((10, 7)), row((10, CAT)))
    with pytest.raises(ValueError, match=r'differ in shape: \(1, 9\) and \(1, 10\)'):
        counts(row((9, 0)), row((10, CAT)))


def test_what_was_counted_is_kept_image_by_image(tmp_path):
    labels, numbers = row((10, CAT), (10, SKY)), row((10, 1), (10, 0)).numpy()
    right, wrong = row((10, 1000 + CAT), (10, SKY)), row((10, SKY), (10, 1000 + CAT))
    one = metric()
    one.counts_file = tmp_path / 'new' / 'counts.npz'
    one.process({}, [sample(ids, labels, numbers) for ids in (right, wrong)])
    scores = one.evaluate(2)
    kept = PanopticCounts(**read_arrays(one.counts_file))
    assert kept.scores == scores
    assert {round(draw['PQ']) for draw in kept.resampled_scores(50)} == {0, 50, 100}
    assert kept.same_images(PanopticCounts(kept.counts[:, [0, 3, 2, 1]], kept.classes, kept.things))
    assert not kept.same_images(PanopticCounts(kept.counts[::-1] * 2, kept.classes, kept.things))
