"""Labels alone: those of the whole scores, of which never more than a strip is made."""

import pytest
import torch
from mmseg.structures import SegDataSample
from torch.utils._python_dispatch import TorchDispatchMode

from mmseg_zsclip.models import score_rows
from mmseg_zsclip.models.tta import MeanTTAModel

CFGS = dict(
    whole=dict(mode='whole'),
    slide=dict(mode='slide', crop_size=(32, 40), stride=(20, 24), window_batch=3),
)
METAS = {
    'as it is': dict(ori_shape=(56, 72)),
    'resized': dict(ori_shape=(83, 61)),
    'padded': dict(ori_shape=(50, 70), img_padding_size=(0, 2, 0, 6)),
    'flipped': dict(ori_shape=(56, 72), flip=True, flip_direction='horizontal'),
    'padded, flipped, resized': dict(
        ori_shape=(31, 90), img_padding_size=(3, 2, 5, 6), flip=True, flip_direction='vertical'
    ),
}


def sample_of(meta):
    return SegDataSample(metainfo=dict(dict(img_shape=(56, 72), flip=False), **meta))


def agreement(one, other):
    assert one.shape == other.shape
    assert one.dtype == other.dtype == torch.int64
    return (one == other).float().mean()


@pytest.mark.parametrize('meta', METAS)
@pytest.mark.parametrize('cfg', CFGS)
def test_scores_by_rows_are_those_of_the_whole(monkeypatch, small, head, cfg, meta):
    model, img = small(head, CFGS[cfg]), 2 * torch.randn(2, 3, 7, 9)
    img = torch.nn.functional.interpolate(img, (56, 72), mode='bicubic')
    meta = METAS[meta]
    with torch.no_grad():
        wholes = model(img, [sample_of(meta), sample_of(METAS['resized'])], mode='predict')
        model.test_cfg.keep_scores = False
        samples = [sample_of(meta), sample_of(METAS['resized'])]
        maps = model.score_rows(img, samples)
        alone = model(img, samples, mode='predict')
        for strip in (1, 2**22):
            monkeypatch.setattr(score_rows, 'STRIP', strip)
            for whole, rows, sample in zip(wholes, maps, alone, strict=True):
                scores = torch.cat(list(score_rows.strips([rows])), dim=1)
                torch.testing.assert_close(scores, whole.seg_logits.data, rtol=1e-4, atol=1e-5)
                assert 'seg_logits' not in sample
                assert agreement(sample.pred_sem_seg.data, whole.pred_sem_seg.data) > 0.999
    assert torch.stack([one.seg_logits.data.std() for one in wholes]).gt(0.01).all()


def test_labels_of_augmentations_are_those_of_their_mean(small, head):
    model = small(head, CFGS['slide'])
    augmentations = [
        (torch.randn(3, 56, 72), METAS['flipped']),
        (torch.randn(3, 40, 48), METAS['as it is']),
    ]
    kinds = {}
    for keep in (True, False):
        model.test_cfg.keep_scores = keep
        data = dict(
            inputs=[[img] for img, _ in augmentations],
            data_samples=[[sample_of(meta)] for _, meta in augmentations],
        )
        with torch.no_grad():
            (kinds[keep],) = MeanTTAModel(module=model).test_step(data)
    assert 'seg_logits' not in kinds[False]
    assert kinds[False].img_shape == (56, 72)
    assert not kinds[False].flip
    assert agreement(kinds[False].pred_sem_seg.data, kinds[True].pred_sem_seg.data) > 0.999


class Largest(TorchDispatchMode):
    """The elements of the largest tensor that an operation makes."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(one, torch.Tensor):
                self.numel = max(self.numel, one.numel())
        return out


@pytest.mark.parametrize('cfg', CFGS)
def test_labels_alone_never_hold_the_scores_of_every_pixel(monkeypatch, small, cfg):
    monkeypatch.setattr(score_rows, 'STRIP', 1)
    model = small('zegclip', dict(CFGS[cfg], keep_scores=False))
    with torch.no_grad(), Largest() as largest:
        model(torch.randn(1, 3, 56, 72), [sample_of(dict(ori_shape=(560, 720)))], mode='predict')
    assert 560 * 720 <= largest.numel < 5 * 560 * 720 / 4  # the labels, and no scores


@pytest.mark.parametrize(('change', 'message'), [(dict(pamr={}), 'pamr={}'), ({}, '1 class')])
def test_what_cannot_be_made_by_rows_is_named(small, change, message):
    model = small('zegclip', dict(change, keep_scores=False))
    if not change:
        model.set_classes(['sky'])
    with pytest.raises(ValueError, match='keep_scores=False needs two classes.*' + message):
        model(torch.randn(1, 3, 56, 72), [sample_of(METAS['as it is'])], mode='predict')


def test_a_forbidden_class_is_no_nan(small):
    model = small('zegclip', CFGS['slide'])
    forward = model.decode_head.forward

    def forbidding(inputs):
        scores = forward(inputs)
        scores[:, 2, 1:3, 1:3] = float('-inf')
        return scores

    model.decode_head.forward = forbidding
    with torch.no_grad():
        (out,) = model(torch.randn(1, 3, 56, 72), [sample_of(METAS['resized'])], mode='predict')
    assert out.seg_logits.data.isfinite().all()


@pytest.mark.parametrize('pamr', [None, dict(steps=2)])
def test_scores_of_a_photo_are_those_of_predict_whether_a_head_has_rows_or_not(small, head, pamr):
    model, img = small(head, dict(mode='whole', pamr=pamr)), torch.randn(2, 3, 56, 72)
    samples = [sample_of(METAS[meta]) for meta in ('padded, flipped, resized', 'as it is')]
    with torch.no_grad():
        wholes = model(img, [sample_of(one.metainfo) for one in samples], mode='predict')
        maps = model.photo_scores(img, samples)
    assert model.has_rows == (pamr is None)
    for whole, rows in zip(wholes, maps, strict=True):
        scores = torch.cat(list(score_rows.strips([rows])), dim=1)
        torch.testing.assert_close(scores, whole.seg_logits.data, rtol=1e-4, atol=1e-5)
        sure = model.probabilities(scores)
        assert 0 <= sure.min() <= sure.max() <= 1
