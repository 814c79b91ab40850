"""Masks on other grids, as boxes, as pictures and as weights."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.models.mask_ops import (
    SUB_IMAGES,
    input_masks,
    mask_boxes,
    photo_masks,
    pool_by_masks,
    resize_masks,
    sub_images,
    visible_patches,
)


def rectangle(top, left, bottom, right, size=(24, 32)):
    mask = torch.zeros(1, *size)
    mask[:, top:bottom, left:right] = 0.9
    return mask


MASKS = torch.cat(
    [
        rectangle(2, 3, 9, 20),
        rectangle(0, 0, 24, 32),
        rectangle(0, 0, 0, 0),
        rectangle(23, 31, 24, 32),
    ]
)


def test_masks_go_to_a_grid_that_is_not_square():
    visible = visible_patches(MASKS[None], (3, 4))
    assert visible.shape == (1, 4, 12)
    assert visible[0, 1].all()
    assert not visible[0, 2].any()
    assert visible[0, 0].view(3, 4).any(dim=1).tolist() == [True, False, False]


def test_a_value_of_exactly_one_half_is_visible():
    assert visible_patches(torch.full((1, 1, 8, 8), 0.5), (2, 2)).all()


@pytest.mark.parametrize('shape', [(0, 8, 8), (2, 0, 8, 8)])
def test_no_mask_goes_to_any_grid(shape):
    assert resize_masks(torch.zeros(shape), (2, 3)).shape == (*shape[:-2], 2, 3)


@pytest.mark.parametrize(
    'flip',
    [{}, dict(flip=True, flip_direction='horizontal'), dict(flip=True, flip_direction='vertical')],
)
def test_masks_of_a_photo_go_to_the_padded_image_and_back(flip):
    meta = dict(ori_shape=(24, 32), padding_size=(2, 6, 0, 4), **flip)
    there = input_masks(MASKS, meta, (52, 72))  # the photo twice as large, and padding
    assert there.shape == (4, 52, 72)
    assert not there[:, :, :2].any()
    assert not there[:, 48:].any()
    assert torch.equal(photo_masks(there, meta) > 0.5, MASKS > 0.5)
    # the last mask is the photo's lower right pixel
    lower, right = (there[3] > 0.5).nonzero().amax(dim=0).tolist()
    assert (lower, right) == dict(horizontal=(47, 3), vertical=(1, 65)).get(
        flip.get('flip_direction'), (47, 65)
    )


def test_boxes_hold_their_masks_and_nothing_more():
    assert mask_boxes(MASKS).tolist() == [
        [3, 2, 20, 9],
        [0, 0, 32, 24],
        [0, 0, 0, 0],
        [31, 23, 32, 24],
    ]


@pytest.mark.parametrize('mode', SUB_IMAGES)
def test_sub_images_are_of_the_proposals_that_cover_a_pixel(mode):
    image = torch.randn(3, 24, 32)
    pictures, valid = sub_images(
        image, MASKS, size=10, mode=mode, fill=torch.tensor([1.0, 2.0, 3.0])
    )
    assert valid.tolist() == [True, True, False, True]
    assert pictures.shape == (3, 3, 10, 10)
    # the mask that covers all leaves the image as it is
    whole = F.interpolate(image[None], (10, 10), mode='bicubic', align_corners=True)[0]
    assert torch.equal(pictures[1], whole)
    if mode == 'mask':  # the corner of the first picture lies outside its mask
        assert pictures[0, :, 0, 0].tolist() == [1, 2, 3]
    else:  # the corner of the box
        assert torch.equal(pictures[0, :, 0, 0], image[:, 2, 3])
    if mode == 'crop':  # one pixel everywhere
        assert torch.equal(pictures[2], image[:, 23:, 31:].expand(3, 10, 10))


def test_where_nothing_is_covered_there_is_no_sub_image():
    for masks in (MASKS[2:3], MASKS[:0]):
        pictures, valid = sub_images(torch.randn(3, 24, 32), masks, size=10)
        assert pictures.shape == (0, 3, 10, 10)
        assert not valid.any()


def test_another_mode_or_size_of_sub_images_is_named():
    with pytest.raises(ValueError, match=r"'box'; legal values: mask, crop, mask\+crop"):
        sub_images(torch.randn(3, 24, 32), MASKS, mode='box')
    with pytest.raises(ValueError, match=r'masks are \(24, 32\) pixels, the image \(24, 24\)'):
        sub_images(torch.randn(3, 24, 24), MASKS)


def test_pooling_is_the_mean_of_features_laid_out_over_the_pixels():
    features = torch.randn(5, 3, 4)
    pooled = pool_by_masks(features, MASKS)
    laid_out = F.interpolate(features[None], (24, 32), mode='nearest')[0]
    for mask, row in zip(MASKS > 0.5, pooled, strict=True):
        expected = laid_out[:, mask].mean(dim=1) if mask.any() else torch.zeros(5)
        torch.testing.assert_close(row, expected)
