import numpy as np
import pytest
import torch

from mmseg_zsclip.evaluation import ZeroShotIoUMetric
from mmseg_zsclip.evaluation.areas import ImageAreas, read_areas, write_areas

CLASSES = ('sky', 'road', 'car')


def measured(path, maps, **kwargs):
    metric = ZeroShotIoUMetric(unseen=['car'], areas_file=str(path), **kwargs)
    metric.dataset_meta = dict(classes=CLASSES)
    for pred, label in maps:
        metric.process(
            {},
            [
                dict(
                    pred_sem_seg=dict(data=pred[None]),
                    img_path='photo.jpg',
                    gt_sem_seg=dict(data=label[None]),
                )
            ],
        )
    return metric.evaluate(len(maps))


def random_maps(images=6):
    torch.manual_seed(0)
    return [(torch.randint(0, 3, (5, 7)), torch.randint(0, 3, (5, 7))) for _ in range(images)]


def test_the_file_of_areas_gives_the_metrics_back(tmp_path):
    scores = measured(tmp_path / 'deep' / 'areas.npz', random_maps())
    read = read_areas(tmp_path / 'deep' / 'areas.npz')
    assert read.areas.shape == (6, 3, 3)
    assert (read.classes, read.unseen) == (CLASSES, (2,))
    assert read.scores == pytest.approx(scores)
    assert [path.name for path in (tmp_path / 'deep').iterdir()] == ['areas.npz']


def test_resampling_is_paired_and_centred_on_the_score():
    rng = np.random.default_rng(0)
    areas = rng.integers(5, 10, (50, 3, 3))
    areas[:, 0] = 4
    first = ImageAreas(areas, CLASSES, (2,))
    again = first.resampled_scores(200)
    assert [s['mIoU'] for s in first.resampled_scores(200)] == [s['mIoU'] for s in again]
    assert np.mean([s['mIoU'] for s in again]) == pytest.approx(first.scores['mIoU'], abs=0.3)
    better = areas.copy()
    better[:, 0] += 1  # better on every image: better on every draw
    draws = ImageAreas(better, CLASSES, (2,)).resampled_scores(200)
    assert all(b['hIoU'] > a['hIoU'] for a, b in zip(again, draws, strict=True))


def test_only_the_same_truth_is_the_same_images(tmp_path):
    areas = np.full((2, 3, 3), 7)
    first = ImageAreas(areas, CLASSES, (2,))
    predicted = areas.copy()
    predicted[:, :2] = 3
    assert first.same_images(ImageAreas(predicted, CLASSES, (2,)))
    assert not first.same_images(ImageAreas(areas, CLASSES, ()))
    assert not first.same_images(ImageAreas(areas[:1], CLASSES, (2,)))
    write_areas(tmp_path / 'areas.npz', areas, CLASSES, ())
    assert read_areas(tmp_path / 'areas.npz').unseen == ()
