"""Test-time augmentation whose sample is one thing: prediction and scores are the same mean's."""

from collections.abc import Iterable, Mapping, Sequence

from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from mmseg.structures import SegDataSample
from torch import Tensor

from ..registry import MODELS
from .score_rows import best_labels

OF_ONE_AUGMENTATION = (
    'flip',
    'flip_direction',
    'scale_factor',
    'img_shape',
    'pad_shape',
    'padding_size',
    'img_padding_size',
    'scale',
    'keep_ratio',
)


@MODELS.register_module()
class MeanTTAModel(SegTTAModel):
    """The mean over augmentations of the softmax of their scores, at the photo's own size.

    mmseg's `SegTTAModel` predicts from it but leaves the last augmentation's scores and metadata in
    the sample. Here `seg_logits` is the mean and `pred_sem_seg` its argmax. Augmentations are added
    as they come, so that the scores of two are held at most: the sum and the newest.
    """

    def test_step(self, data: dict | Sequence) -> list[SegDataSample]:
        """A batch of augmented images, as `TestTimeAug` and `pseudo_collate` give it -> a sample
        for each photo."""
        if isinstance(data, dict):
            count = len(next(iter(data.values())))
            steps = ({key: value[i] for key, value in data.items()} for i in range(count))
        else:
            steps = ([part[i] for part in data] for i in range(len(data[0])))
        if (getattr(self.module, 'test_cfg', None) or {}).get('keep_scores', True):
            return self.mean(self.module.test_step(step) for step in steps)
        return self.labels(self.module.data_preprocessor(step, False) for step in steps)

    def labels(self, batches: Iterable[Mapping]) -> list[SegDataSample]:
        """The preprocessed batches of one augmentation after another -> a sample for each photo,
        without scores.

        Raises:
            TypeError: a model that makes no scores a few rows at a time, as a two-stage one.
        """
        if not hasattr(self.module, 'score_rows'):
            raise TypeError(
                f'{type(self.module).__name__} makes no scores a few rows at a time, which '
                'test_cfg.keep_scores=False asks for under --tta. Leave one of the two out.'
            )
        maps, merged = [], []
        for batch in batches:
            samples = batch['data_samples']
            merged = merged or [bare_sample(sample) for sample in samples]
            maps.append(self.module.score_rows(batch['inputs'], samples))
        for sample, rows in zip(merged, zip(*maps, strict=True), strict=True):
            sample.pred_sem_seg = PixelData(data=best_labels(rows)[None])
        return merged

    def merge_preds(self, data_samples_list: Sequence[Sequence[SegDataSample]]) -> list:
        """As mmseg's: samples by photo, then by augmentation -> a sample for each photo."""
        return self.mean(zip(*data_samples_list, strict=True))

    def mean(self, augmentations: Iterable[Sequence[SegDataSample]]) -> list[SegDataSample]:
        """The samples of one augmentation after another -> a sample for each photo."""
        totals, merged, count = [], [], 0
        for samples in augmentations:
            confidences = [self.confidence(sample) for sample in samples]
            if not count:
                totals, merged = confidences, [bare_sample(sample) for sample in samples]
            else:
                for total, one in zip(totals, confidences, strict=True):
                    total += one
            count += 1
            del samples, confidences  # before the next ones are made
        for sample, total in zip(merged, totals, strict=True):
            total /= count
            labels = (
                total.argmax(dim=0, keepdim=True)
                if len(total) > 1
                else (total > self.module.decode_head.threshold).to(total)
            )
            sample.set_data(
                dict(seg_logits=PixelData(data=total), pred_sem_seg=PixelData(data=labels))
            )
        return merged

    def confidence(self, sample: SegDataSample) -> Tensor:
        """(C, H, W): the softmax of the sample's scores, as mmseg merges them.

        Raises:
            ValueError: a sample of labels alone.
        """
        if 'seg_logits' not in sample:
            raise ValueError(
                'test-time augmentation averages scores, but the sample has labels alone '
                '(pred_sem_seg). Let the model predict seg_logits.'
            )
        scores = sample.seg_logits.data
        return scores.softmax(dim=0) if len(scores) > 1 else scores.sigmoid()


def bare_sample(sample: SegDataSample) -> SegDataSample:
    """A new sample of the photo itself: the truth and metadata of `sample`, without what is true of
    one augmentation only."""
    meta = {key: value for key, value in sample.metainfo.items() if key not in OF_ONE_AUGMENTATION}
    shape = tuple(meta['ori_shape'])
    out = SegDataSample(
        metainfo=dict(
            meta, img_shape=shape, scale_factor=(1.0, 1.0), flip=False, flip_direction=None
        )
    )
    if 'gt_sem_seg' in sample:
        out.gt_sem_seg = sample.gt_sem_seg
    return out
