import pytest
import torch
from torchvision.ops import sigmoid_focal_loss as reference_focal

from mmseg_zsclip.losses import MaskDiceLoss, MaskFocalLoss, dice_loss, sigmoid_focal_loss
from mmseg_zsclip.losses.mask_losses import one_hot_masks
from mmseg_zsclip.registry import MODELS


@pytest.fixture
def batch():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 3, (2, 5, 7))
    labels[1][labels[1] == 2] = 0  # class 2 is absent from image 1
    labels[:, 0] = 255
    return logits, labels


def test_focal_equals_torchvision_on_valid_pixels(batch):
    logits, labels = batch
    masks, valid = one_hot_masks(labels, 3, 255)
    ours = sigmoid_focal_loss(logits, masks.double(), valid)
    theirs = reference_focal(logits, masks.double(), alpha=0.25, gamma=2)[:, :, 1:].mean((2, 3))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)


def test_dice_is_equation_5(batch):
    logits, labels = batch
    masks, valid = one_hot_masks(labels, 3, 255)
    ours = dice_loss(logits, masks.double(), valid)
    for b in range(2):
        for c in range(3):
            y = logits[b, c, 1:].sigmoid()
            t = masks[b, c, 1:].double()
            expected = 1 - 2 * (y * t).sum() / ((y**2).sum() + (t**2).sum())
            torch.testing.assert_close(ours[b, c], expected, rtol=1e-6, atol=1e-12)


def test_release_dice_has_no_squares_and_smooth_one(batch):
    logits, labels = batch
    masks, valid = one_hot_masks(labels, 3, 255)
    ours = dice_loss(logits, masks.double(), torch.ones_like(valid), squared=False, smooth=1.0)
    y, t = logits.sigmoid().flatten(2), masks.double().flatten(2)
    expected = 1 - (2 * (y * t).sum(-1) + 1) / (y.sum(-1) + t.sum(-1) + 1)
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize('loss', [MaskFocalLoss(), MaskDiceLoss()])
def test_ignored_and_padded_pixels_give_no_loss_and_no_gradient(batch, loss):
    logits, labels = batch
    value = loss(logits, labels)
    value.backward()
    assert (logits.grad[:, :, 0] == 0).all()
    assert (logits.grad[:, :, 1:] != 0).any()
    poisoned = logits.detach().clone()
    poisoned[:, :, 0] = 1e4
    torch.testing.assert_close(loss(poisoned, labels), value.detach())


@pytest.mark.parametrize('loss', [MaskFocalLoss, MaskDiceLoss])
def test_released_option_counts_ignored_as_negative(batch, loss):
    logits, labels = batch
    low = logits.detach().clone()
    low[:, :, 0] = -20.0
    high = low.clone()
    high[:, :, 0] = 20.0
    released = loss(count_ignored_as_negative=True)
    assert released(high, labels) > released(low, labels)


def test_losses_are_summed_over_masks_and_divided_by_their_number(batch):
    logits, labels = batch
    masks, valid = one_hot_masks(labels, 3, 255)
    focal = sigmoid_focal_loss(logits.float(), masks, valid)
    torch.testing.assert_close(MaskFocalLoss(loss_weight=3.0)(logits, labels), 3 * focal.sum() / 5)
    dice = dice_loss(logits.float(), masks, valid)
    present = dice.sum() - dice[1, 2]
    torch.testing.assert_close(MaskDiceLoss()(logits, labels), present / 5)


@pytest.mark.parametrize('loss', [MaskFocalLoss(), MaskDiceLoss()])
def test_no_labelled_pixel_is_finite(loss):
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    value = loss(logits, torch.full((1, 4, 4), 255))
    value.backward()
    assert value == 0
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize('loss', [MaskFocalLoss(), MaskDiceLoss()])
def test_bfloat16_and_extreme_logits_are_finite(loss):
    logits = torch.tensor([1e4, -1e4, 0.0, 1.0], dtype=torch.bfloat16).view(1, 1, 2, 2)
    assert torch.isfinite(loss(logits, torch.zeros(1, 2, 2, dtype=torch.int64)))


def test_pixel_weights_are_refused():
    with pytest.raises(ValueError, match='takes no pixel weights; remove `sampler`'):
        MaskFocalLoss()(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2).long(), weight=torch.ones(1))


@pytest.mark.parametrize('name', ['MaskFocalLoss', 'MaskDiceLoss'])
def test_registered(name):
    assert MODELS.build(dict(type=f'mmseg_zsclip.{name}')).loss_name.startswith('loss_')
