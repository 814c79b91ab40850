"""Instances and panoptic segments of proposals: what is told apart, merged, and left void."""

import numpy as np
import pytest
import torch

from mmseg_zsclip.models.segments import (
    check_tasks,
    instances,
    panoptic_ids,
)

VOID = 3  # of three classes: car and dog are things, road is stuff
CAR, DOG, ROAD = range(3)


def boxes(*corners):
    """Masks of 8 x 8 pixels that are 0.9 in y0:y1, x0:x1 and 0.1 outside."""
    masks = torch.full((len(corners), 8, 8), 0.1)
    for mask, (y0, y1, x0, x1) in zip(masks, corners, strict=True):
        mask[y0:y1, x0:x1] = 0.9
    return masks


def sure(*labels, score=0.8):
    return score * torch.eye(VOID)[list(labels)]


def test_things_are_apart_and_stuff_is_merged():
    masks = boxes((0, 4, 0, 4), (0, 4, 4, 8), (4, 8, 0, 4), (4, 8, 4, 8))
    ids = panoptic_ids(sure(CAR, CAR, ROAD, ROAD), masks, [CAR, DOG])
    assert ids.unique().tolist() == [ROAD, 1000 + CAR, 2000 + CAR]
    assert (ids[4:] == ROAD).all()
    assert (ids[:4, 4:] == 2000 + CAR).all()


def test_an_unsure_proposal_gives_its_pixels_to_none():
    masks = boxes((0, 4, 0, 8), (4, 8, 0, 8))
    scores = torch.cat([sure(CAR), sure(DOG, score=0.3)])
    assert (panoptic_ids(scores, masks, [CAR, DOG])[4:] == VOID).all()
    assert (panoptic_ids(scores, masks, [CAR, DOG], 0.29)[4:] == 2000 + DOG).all()


def test_a_proposal_that_wins_little_of_its_mask_gets_no_segment():
    masks = boxes((0, 8, 0, 6), (0, 8, 0, 8))  # the second wins a quarter of its own
    scores = torch.cat([sure(CAR), sure(DOG, score=0.7)])
    assert (panoptic_ids(scores, masks, [CAR, DOG])[:, 6:] == VOID).all()
    assert (panoptic_ids(scores, masks, [CAR, DOG], 0.3, 0.2)[:, 6:] == 2000 + DOG).all()


def test_pixels_that_no_mask_covers_are_void():
    ids = panoptic_ids(sure(CAR), boxes((0, 4, 0, 4)), [CAR, DOG])
    assert (ids == VOID).sum() == 48


def test_instances_are_pairs_of_proposal_and_thing():
    scores = torch.tensor([[0.5, 0.1, 0.9], [0.2, 0.4, 0.3]])
    masks = boxes((0, 4, 0, 4), (2, 6, 1, 8))
    found = instances(scores, masks, [CAR, DOG], top=3)
    assert found.labels.tolist() == [CAR, DOG, CAR]
    torch.testing.assert_close(found.scores, 0.9 * torch.tensor([0.5, 0.4, 0.2]))
    assert found.bboxes.tolist() == [[0, 0, 4, 4], [1, 2, 8, 6], [1, 2, 8, 6]]
    assert torch.equal(found.masks[1], masks[1] > 0.5)


def test_a_mask_that_covers_no_pixel_is_worth_nothing():
    found = instances(
        sure(CAR, DOG), torch.cat([torch.full((1, 8, 8), 0.4), boxes((0, 4, 0, 4))]), [0, 1]
    )
    assert found.labels[0] == DOG
    assert found.scores[1:].tolist() == [0, 0, 0]


@pytest.mark.parametrize('things', [[], [CAR, DOG]])
def test_no_proposals_are_no_segments(things):
    scores, masks = torch.zeros(0, VOID), torch.zeros(0, 8, 8)
    assert (panoptic_ids(scores, masks, things) == VOID).all()
    found = instances(scores, masks, things)
    assert len(found) == 0
    assert found.masks.shape == (0, 8, 8)


def test_without_things_there_are_no_instances():
    assert len(instances(sure(CAR), boxes((0, 4, 0, 4)), [])) == 0


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match='1000 classes have no panoptic ids: less than 1000'):
        panoptic_ids(torch.zeros(1, 1000), boxes((0, 4, 0, 4)), [])
    for wrong in ('semantic', [], ['panoptics']):
        with pytest.raises(ValueError, match='tasks is .* legal: a list of some of semantic, inst'):
            check_tasks(dict(tasks=wrong))
    with pytest.raises(ValueError, match='overlap_threshold of the panoptic segments is 1.5'):
        check_tasks(dict(overlap_threshold=1.5))
    with pytest.raises(ValueError, match='top is 0; legal values: at least 1'):
        check_tasks(dict(top=0))


def test_mmdets_visualiser_draws_them():
    from mmdet.structures import DetDataSample
    from mmdet.visualization import DetLocalVisualizer
    from mmengine.structures import PixelData

    scores, masks = sure(CAR, DOG, ROAD), boxes((0, 4, 0, 4), (0, 4, 4, 8), (4, 8, 0, 8))
    photo = np.zeros((8, 8, 3), np.uint8)
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(
        classes=('car', 'dog', 'road'), palette=[(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    )
    for found in (
        dict(pred_instances=instances(scores, masks, [CAR, DOG])),
        dict(pred_panoptic_seg=PixelData(sem_seg=panoptic_ids(scores, masks, [CAR, DOG])[None])),
    ):
        visualizer.add_datasample('x', photo, DetDataSample(**found), draw_gt=False)
        assert visualizer.get_image().any()
