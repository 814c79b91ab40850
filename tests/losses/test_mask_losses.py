import sys

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss as reference_focal

from mmseg_zsclip.losses import MaskLoss, fast_mask_losses, mask_losses
from mmseg_zsclip.registry import MODELS

either = pytest.mark.parametrize('losses', [mask_losses, fast_mask_losses])
FOCAL, DICE = dict(dice_weight=0.0), dict(focal_weight=0.0)


@pytest.fixture
def batch():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 3, (2, 5, 7))
    labels[1][labels[1] == 2] = 0  # class 2 is absent from image 1
    labels[:, 0] = 255
    return logits, labels


def one_hot(labels):
    return torch.stack([labels == c for c in range(3)], 1).double()


@either
@pytest.mark.parametrize(('alpha', 'gamma'), [(0.25, 2.0), (0.4, 1.5), (0.5, 0.0)])
def test_focal_equals_torchvision_on_valid_pixels(batch, losses, alpha, gamma):
    logits, labels = batch
    ours = losses(logits, labels, alpha=alpha, gamma=gamma)[0]
    theirs = reference_focal(logits, one_hot(labels), alpha=alpha, gamma=gamma)[:, :, 1:]
    torch.testing.assert_close(ours, theirs.mean((2, 3)), rtol=1e-6, atol=0)
    grads = [torch.autograd.grad(x.sum(), logits)[0] for x in (ours, theirs.mean((2, 3)))]
    torch.testing.assert_close(*grads, rtol=1e-6, atol=1e-12)


def test_the_plain_loss_of_table_6_is_binary_cross_entropy(batch):
    logits, labels = batch
    plain = MaskLoss(focal_weight=2.0, dice_weight=0.0, alpha=0.5, gamma=0.0)
    bce = (
        torch.nn.functional.binary_cross_entropy_with_logits(
            logits[:, :, 1:], one_hot(labels)[:, :, 1:], reduction='none'
        )
        .mean((2, 3))
        .sum()
        / 5
    )
    assert list(plain.terms(logits, labels)) == ['acc_seg', 'loss_focal']
    torch.testing.assert_close(plain(logits, labels), bce.float())


@either
@pytest.mark.parametrize(
    ('squared', 'smooth', 'released'), [(True, 0.0, False), (False, 1.0, True), (False, 1.0, False)]
)
def test_dice_is_equation_5_or_the_released_one(batch, losses, squared, smooth, released):
    logits, labels = batch
    ours = losses(
        logits, labels, squared=squared, smooth=smooth, count_ignored_as_negative=released
    )[1]
    rows = slice(0 if released else 1, None)
    y, t = logits[:, :, rows].sigmoid().flatten(2), one_hot(labels)[:, :, rows].flatten(2)
    area = y**2 + t**2 if squared else y + t
    expected = 1 - (2 * (y * t).sum(-1) + smooth) / (area.sum(-1) + smooth)
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-12)
    grads = [torch.autograd.grad(x.sum(), logits)[0] for x in (ours, expected)]
    torch.testing.assert_close(*grads, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize('size', [(5, 7), (11, 9), (40, 7), (3, 4)])
@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(alpha=0.5, gamma=0.0),
        dict(alpha=0.4, gamma=1.5, smooth=0.1),
        dict(squared=False, smooth=1.0, count_ignored_as_negative=True),
    ],
)
def test_the_fast_losses_and_their_gradient_are_those_of_the_plain_ones(batch, size, options):
    logits, _ = batch
    labels = torch.randint(0, 3, (2, *size))
    labels[:, :2, 1] = 255
    labels[0][labels[0] == 1] = 2
    results = []
    for losses in (mask_losses, fast_mask_losses):
        focal, dice, sizes, right = losses(logits, labels, **options)
        total = (focal * torch.arange(1, 4) + dice * torch.arange(3)).sum()
        results.append([focal, dice, sizes, right, *torch.autograd.grad(total, logits)])
    for plain, fast in zip(*results, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-7)  # float32 interpolation


def test_the_plain_losses_can_be_differentiated_twice(batch):
    logits, labels = batch
    loss = MaskLoss(fast=False)
    (grad,) = torch.autograd.grad(loss(logits, labels), logits, create_graph=True)
    assert torch.autograd.grad(grad.square().sum(), logits)[0].isfinite().all()
    torch.testing.assert_close(loss(logits, labels), MaskLoss()(logits, labels))


@pytest.mark.parametrize('size', [(11, 9), (40, 7), (3, 7)])
@pytest.mark.parametrize('piece', [1, 100, 10**6])
def test_coarse_logits_are_resized_strip_by_strip(batch, size, piece, monkeypatch):
    from mmseg.models.losses import accuracy

    monkeypatch.setattr(sys.modules['mmseg_zsclip.losses.fast_mask_losses'], 'PIECE', piece)
    logits, _ = batch
    labels = torch.randint(0, 3, (2, *size))
    labels[:, :2, 1] = 255
    resized = torch.nn.functional.interpolate(logits, size, mode='bilinear')
    results = []
    for source in (logits, resized):
        focal, dice, sizes, right = fast_mask_losses(source, labels)
        total = (focal + dice * torch.arange(3)).sum()
        results.append([focal, dice, sizes, right, *torch.autograd.grad(total, logits)])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-7)  # float32 interpolation
    known = labels != 255
    assert results[0][2].sum() == known.sum()
    assert results[0][3] == (resized.argmax(1) == labels)[known].sum()
    percent = accuracy(resized, labels, ignore_index=255)
    torch.testing.assert_close(MaskLoss().terms(logits, labels)['acc_seg'], percent[0])


def test_present_classes(batch):
    present = mask_losses(*batch)[2] > 0
    assert present.tolist() == [[True, True, True], [True, True, False]]


@pytest.mark.parametrize('weights', [FOCAL, DICE, {}])
def test_ignored_and_padded_pixels_give_no_loss_and_no_gradient(batch, weights):
    logits, labels = batch
    loss = MaskLoss(**weights)
    value = loss(logits, labels)
    value.backward()
    assert (logits.grad[:, :, 0] == 0).all()
    assert (logits.grad[:, :, 1:] != 0).any()
    poisoned = logits.detach().clone()
    poisoned[:, :, 0] = 1e4
    torch.testing.assert_close(loss(poisoned, labels), value.detach())


@pytest.mark.parametrize('weights', [FOCAL, DICE])
def test_released_option_counts_ignored_as_negative(batch, weights):
    logits, labels = batch
    low = logits.detach().clone()
    low[:, :, 0] = -20.0
    high = low.clone()
    high[:, :, 0] = 20.0
    released = MaskLoss(count_ignored_as_negative=True, **weights)
    assert released(high, labels) > released(low, labels)


def test_terms_are_summed_over_masks_and_divided_by_their_number(batch):
    logits, labels = batch
    focal, dice, *_ = mask_losses(logits.float(), labels)
    loss = MaskLoss(focal_weight=3.0)
    terms = loss.terms(logits, labels)
    torch.testing.assert_close(terms['loss_focal'], 3 * focal.sum() / 5)
    torch.testing.assert_close(terms['loss_dice'], (dice.sum() - dice[1, 2]) / 5)
    torch.testing.assert_close(loss(logits, labels), terms['loss_focal'] + terms['loss_dice'])


def test_no_labelled_pixel_is_finite():
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    value = MaskLoss()(logits, torch.full((1, 4, 4), 255))
    value.backward()
    assert value == 0
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize('gamma', [0.0, 2.0])
def test_bfloat16_and_extreme_logits_are_finite(gamma):
    logits = torch.tensor([1e4, -1e4, 0.0, 1.0], dtype=torch.bfloat16).view(1, 1, 2, 2)
    logits.requires_grad_()
    value = MaskLoss(gamma=gamma)(logits, torch.zeros(1, 2, 2, dtype=torch.int64))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


def test_pixel_weights_are_refused():
    with pytest.raises(ValueError, match='takes no pixel weights; remove `sampler`'):
        MaskLoss()(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2).long(), weight=torch.ones(1))


@pytest.mark.parametrize('weights', [(0.0, 0.0), (-1.0, 1.0)])
def test_weights_that_train_nothing_or_backwards_are_refused(weights):
    with pytest.raises(ValueError, match='focal_weight is .*; give weights of at least 0'):
        MaskLoss(*weights)


def test_registered():
    assert MODELS.build(dict(type='mmseg_zsclip.MaskLoss')).loss_name.startswith('loss_')
