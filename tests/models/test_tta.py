"""Test-time augmentation: scores and prediction of a sample are the same mean's."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_zsclip.apis.launch import load_config, with_tta
from mmseg_zsclip.models.tta import MeanTTAModel


class Given(nn.Module):
    """Predicts what it is given; `scores` (A, B, C, H, W)."""

    out_channels = 4

    def __init__(self, keep=True):
        super().__init__()
        self.keep = keep

    def test_step(self, data):
        samples = data['data_samples']
        for sample, scores in zip(samples, data['inputs'], strict=True):
            if self.keep:
                sample.seg_logits = PixelData(data=scores)
            sample.pred_sem_seg = PixelData(data=scores.argmax(0, keepdim=True))
        return samples


def batch_of(scores):
    def sample(aug, image):
        return SegDataSample(
            metainfo=dict(
                img_path=f'{image}.png',
                ori_shape=(5, 6),
                img_shape=(10 + aug, 12),
                scale_factor=(2.0, 2.0),
                flip=bool(aug % 2),
                flip_direction='horizontal',
                img_padding_size=(0, aug, 0, 0),
            ),
            gt_sem_seg=PixelData(data=torch.full((1, 5, 6), image)),
        )

    return dict(
        inputs=list(scores),
        data_samples=[
            [sample(aug, image) for image in range(scores.shape[1])] for aug in range(len(scores))
        ],
    )


@pytest.mark.parametrize('order', [[0, 1, 2], [2, 1, 0]])
def test_the_scores_kept_are_the_means_and_not_the_last_augmentations(order):
    torch.manual_seed(0)
    scores = 4 * torch.randn(3, 2, 4, 5, 6)
    mean = scores.softmax(dim=2).mean(dim=0)
    out = MeanTTAModel(module=Given()).test_step(batch_of(scores[order]))
    assert len(out) == 2
    for image, sample in enumerate(out):
        torch.testing.assert_close(sample.seg_logits.data, mean[image])
        assert torch.equal(sample.pred_sem_seg.data, sample.seg_logits.data.argmax(0, keepdim=True))
        assert sample.gt_sem_seg.data.unique().tolist() == [image]
        assert sample.img_path == f'{image}.png'
        assert (sample.ori_shape, sample.img_shape) == ((5, 6), (5, 6))
        assert (sample.flip, sample.scale_factor) == (False, (1.0, 1.0))
        assert 'img_padding_size' not in sample


def test_predictions_are_mmsegs():
    from mmseg.models.segmentors import SegTTAModel

    scores = 4 * torch.randn(3, 2, 4, 5, 6)
    ours, theirs = (
        kind(module=Given()).test_step(batch_of(scores)) for kind in (MeanTTAModel, SegTTAModel)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.pred_sem_seg.data, other.pred_sem_seg.data)


def test_merging_by_hand_is_the_same():
    scores = torch.randn(3, 2, 4, 5, 6)
    model, batch = MeanTTAModel(module=Given()), batch_of(scores)
    stepped = [
        model.module.test_step(dict(inputs=scores[i], data_samples=batch['data_samples'][i]))
        for i in range(3)
    ]
    merged = model.merge_preds(list(zip(*stepped, strict=True)))
    torch.testing.assert_close(merged[1].seg_logits.data, scores[:, 1].softmax(1).mean(0))


def test_a_model_that_keeps_no_scores_is_an_error():
    with pytest.raises(ValueError, match='the sample has labels alone'):
        MeanTTAModel(module=Given(keep=False)).test_step(batch_of(torch.randn(2, 1, 4, 5, 6)))


def test_labels_alone_of_a_model_that_makes_no_rows():
    module = Without()
    module.test_cfg = dict(keep_scores=False)
    with pytest.raises(TypeError, match='Without makes no scores a few rows at a time'):
        MeanTTAModel(module).test_step(dict(inputs=[], data_samples=[]))


class Without(nn.Module):
    def test_step(self, data):
        raise NotImplementedError


@pytest.mark.parametrize('resize', ['Resize', 'mmcv.Resize'])
def test_every_pipeline_of_joined_test_sets_is_augmented(resize):
    cfg = load_config('toy_maskclip')
    one = cfg.test_dataloader.dataset
    for step in one.pipeline:
        step.type = resize if step.type == 'Resize' else step.type
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[one, one])
    cfg.tta = dict(scales=[(64, 64), (128, 128)])
    for dataset in with_tta(cfg).test_dataloader.dataset.datasets:
        assert [step['type'] for step in dataset.pipeline].count('TestTimeAug') == 1
