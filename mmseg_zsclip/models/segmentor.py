"""The segmentor of every dense method here: mmseg's EncoderDecoder with batched sliding windows."""
import inspect
import itertools
from collections.abc import Mapping, Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from ..datasets.base import distinct_colours
from ..datasets.labels import IGNORE
from ..datasets.vocabulary import canonical
from ..registry import MODELS
from ..upsample import best_classes
from .pamr import refine
from .windows import check_test_cfg, mean_over_windows


def finite_or_named(scores: Tensor, images: Tensor, metas: Sequence[Mapping]) -> Tensor:
    """The coarse scores (B, C, h, w) of images (B, 3, H, W), unless NaN or +infinity is in them: an
    argmax would turn those into plausible labels. -infinity is legal, a class that is forbidden.

    Raises:
        ValueError: names the image, and whether it or the model is to blame.
    """
    broken = ~(scores < torch.inf).flatten(1).all(dim=1)
    if not broken.any():
        return scores
    rows = broken.nonzero()[:, 0].tolist()
    names = list(dict.fromkeys(
        str(metas[i].get('img_path') or f'image {i} of the batch') for i in rows))
    if all(images[i].isfinite().all() for i in rows):
        raise ValueError(
            f'{", ".join(names)}: the image is finite, but the model makes NaN or infinity of it: '
            'its weights are damaged or overflow. Check the checkpoint, or test without --amp.')
    raise ValueError(f'{", ".join(names)}: the image that the model gets holds NaN or infinity. '
                     "Repair or leave out the file, or look at the data_preprocessor's mean and std.")


def check_statistics(statistics: Sequence[Sequence[float]] | None, preprocessor: nn.Module) -> None:
    """That images are normalised as the CLIP was trained.

    Args:
        statistics: mean and std of [0, 1] RGB images; None where they are not known.

    Raises:
        ValueError: they differ by more than one of 255 levels; gives the lines for the config.
    """
    if statistics is None or not getattr(preprocessor, '_enable_normalize', False):
        return
    wanted = [[255 * value for value in values] for values in statistics]
    found = [getattr(preprocessor, name).flatten().tolist() for name in ('mean', 'std')]
    if all(abs(one - other) <= 1 for ours, theirs in zip(wanted, found, strict=True)
           for one, other in zip(ours, theirs, strict=True)):
        return
    mean, std = ([round(value, 3) for value in values] for values in wanted)
    given = ([round(value, 3) for value in values] for values in found)
    raise ValueError(
        'the CLIP was trained on images of other statistics than the data_preprocessor has: '
        'mean={} std={}. Write data_preprocessor=dict('.format(*given)
        + f'mean={mean}, std={std}) in the config (RGB, 0 to 255).')


@MODELS.register_module()
class ZeroShotSegmentor(EncoderDecoder):
    """EncoderDecoder whose vocabulary can change and whose windows run as one batch.

    `test_cfg`: `mode='whole'`, or `mode='slide'` with `crop_size`, `stride` (both (h, w), pixels)
    and `window_batch` (windows per forward pass, 16 if left out). In both modes `pamr=dict()`, with
    options of `pamr.refine`, refines the scores by the image, at the size that the model sees.
    `keep_scores=False` predicts labels alone: the same ones, and the scores of every class at every
    pixel, 0.9 GB for 847 classes at 512, are never made.

    Padding is ignored: where 255 is a class, the head's `ignore_index` takes its place as the
    `seg_pad_val` of the data preprocessor.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.test_cfg = ConfigDict(self.test_cfg or {})
        self.test_cfg.setdefault('mode', 'whole')
        check_test_cfg(self.test_cfg)
        if getattr(self.data_preprocessor, 'seg_pad_val', None) == IGNORE:  # mmseg's default
            self.data_preprocessor.seg_pad_val = self.decode_head.ignore_index

    def init_weights(self) -> None:
        super().init_weights()
        check_statistics(getattr(self.backbone, 'statistics', None), self.data_preprocessor)

    def set_classes(self, classes: str | Sequence[str],
                    unseen: str | Sequence[str] | None = None, **options) -> None:
        """Change the vocabulary: names, synonyms by comma, or a shipped list. Nothing is rebuilt.

        `options` are what the head's own `set_classes` takes besides, as MaskCLIP's `background`.
        """
        self.decode_head.set_classes(classes, unseen, **options)
        self.num_classes = self.decode_head.num_classes
        self.out_channels = self.decode_head.out_channels
        head = self.decode_head  # MaskCLIP's embeds several names for the background
        names = map(canonical, getattr(head, 'classes', head.class_embeddings.classes))
        self.dataset_meta = dict(
            classes=tuple(names), palette=distinct_colours(self.num_classes))

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list:
        """Samples with `pred_sem_seg` and, unless `keep_scores=False`, `seg_logits`."""
        if self.test_cfg.get('keep_scores', True) or data_samples is None:
            return super().predict(inputs, data_samples)
        metas = [sample.metainfo for sample in data_samples]
        padded = any(any(meta.get('img_padding_size', [])) or meta.get('flip') for meta in metas)
        if (self.test_cfg.mode != 'whole' or self.test_cfg.get('pamr') is not None or padded
                or not getattr(self.decode_head, 'plain_scores', False)):
            raise ValueError(
                "test_cfg.keep_scores=False needs mode='whole', no pamr, images that are neither "
                'padded nor flipped, and a head whose scores are interpolated as they are '
                '(MaskCLIPHead without key smoothing, TextHead). Remove keep_scores.')
        scores = self.coarse(inputs, metas)
        for sample, meta, one in zip(data_samples, metas, scores.split(1), strict=True):
            sizes = [inputs.shape[2:], meta['ori_shape']]
            sample.pred_sem_seg = PixelData(data=best_classes(one, sizes, self.align_corners))
        return data_samples

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Scores as the head gives them: (B, 3, H, W) -> (B, C, H, W)."""
        check_test_cfg(self.test_cfg)
        scores = super().inference(inputs, batch_img_metas)
        options = self.test_cfg.get('pamr')
        if options is None:
            return scores
        legal = list(inspect.signature(refine).parameters)[2:]
        if not isinstance(options, dict) or set(options) - set(legal):
            raise ValueError(f'test_cfg.pamr is {options}; legal: None for no refinement, or a dict '
                             f'with any of {", ".join(legal)}.')
        return refine(scores, inputs, **options)

    @property
    def in_two_steps(self) -> bool:
        """The head makes coarse scores by `forward`, and `predict_by_feat` finishes them image by
        image, as every head does that leaves mmseg's `predict` as it is."""
        head = getattr(self.decode_head, 'head', self.decode_head)  # TextHead hands on to its own
        return getattr(type(head), 'predict', None) is BaseDecodeHead.predict

    def coarse(self, inputs: Tensor, batch_img_metas: Sequence[Mapping]) -> Tensor:
        """Checked scores of the head: (B, 3, H, W) -> (B, C, h, w), at the head's own size."""
        scores = self.decode_head.forward(self.extract_feat(inputs))
        return finite_or_named(scores, inputs, batch_img_metas)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Scores at the model's input size: (B, 3, H, W) -> (B, C, H, W).

        Raises:
            ValueError: NaN or infinity, see `finite_or_named`.
        """
        if self.in_two_steps:
            return self.decode_head.predict_by_feat(
                self.coarse(inputs, batch_img_metas), batch_img_metas)
        scores = super().encode_decode(inputs, batch_img_metas)
        return finite_or_named(scores, inputs, batch_img_metas)

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Mean of the window scores at every pixel: (B, 3, H, W) -> (B, C, H, W).

        Raises:
            ValueError: windows that are not legal, see `check_test_cfg`; NaN or infinity.
        """
        check_test_cfg(self.test_cfg)
        turn = itertools.cycle(batch_img_metas)

        def window_metas(part: Tensor) -> list[dict]:
            return [{**meta, 'img_shape': part.shape[2:]}
                    for meta in itertools.islice(turn, len(part))]

        windows = (inputs, self.test_cfg.crop_size, self.test_cfg.stride)
        batch = self.test_cfg.get('window_batch', 16)
        if not self.in_two_steps:
            return mean_over_windows(
                *windows, lambda part: self.encode_decode(part, window_metas(part)), batch)
        shape = torch.Size(map(min, zip(self.test_cfg.crop_size, inputs.shape[2:], strict=True)))
        return mean_over_windows(
            *windows, lambda part: self.coarse(part, window_metas(part)), batch,
            lambda one: self.decode_head.predict_by_feat(one, [dict(img_shape=shape)]))
