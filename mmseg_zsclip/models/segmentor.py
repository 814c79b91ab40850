"""The segmentor of every dense method here: mmseg's EncoderDecoder with batched sliding windows."""

import inspect
import itertools
from collections.abc import Mapping, Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..registry import MODELS
from ..vocabulary.labels import IGNORE, UNLABELLED
from .pamr import refine
from .score_rows import ScoreRows, best_labels, kept_part, whole_rows
from .upsample import FAR
from .vocabulary import OpenVocabulary, Vocabulary, copy_of_modules, shallow_copy
from .windows import check_test_cfg, cut_windows, mean_over_windows, window_corners


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
    names = list(
        dict.fromkeys(str(metas[i].get('img_path') or f'image {i} of the batch') for i in rows)
    )
    if all(images[i].isfinite().all() for i in rows):
        raise ValueError(
            f'{", ".join(names)}: the image is finite, but the model makes NaN or infinity of it: '
            'its weights are damaged or overflow. Check the checkpoint, or test without --amp.'
        )
    raise ValueError(
        f'{", ".join(names)}: the image that the model gets holds NaN or infinity. '
        "Repair or leave out the file, or look at the data_preprocessor's mean and std."
    )


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
    if all(
        abs(one - other) <= 1
        for ours, theirs in zip(wanted, found, strict=True)
        for one, other in zip(ours, theirs, strict=True)
    ):
        return
    mean, std = ([round(value, 3) for value in values] for values in wanted)
    given = ([round(value, 3) for value in values] for values in found)
    raise ValueError(
        'the CLIP was trained on images of other statistics than the data_preprocessor has: '
        'mean={} std={}. Write data_preprocessor=dict('.format(*given)
        + f'mean={mean}, std={std}) in the config (RGB, 0 to 255).'
    )


def relabelled(data_samples: Sequence, labels: Tensor) -> list[SegDataSample]:
    """New samples with these labels (B, H, W); nothing is written into the old ones."""
    return [
        SegDataSample(gt_sem_seg=PixelData(data=one[None]), metainfo=sample.metainfo)
        for one, sample in zip(labels, data_samples, strict=True)
    ]


@MODELS.register_module()
class OneStageSegmentor(OpenVocabulary, EncoderDecoder):
    """EncoderDecoder whose vocabulary can change and whose windows run as one batch.

    `test_cfg`: `mode='whole'`, or `mode='slide'` with `crop_size`, `stride` (both (h, w), pixels)
    and `window_batch` (windows per forward pass, 16 if left out). In both modes `pamr=dict()`, with
    options of `pamr.refine`, refines the scores by the image, at the size that the model sees.
    `keep_scores=False` predicts labels alone: the same ones, and the scores of every class at every
    pixel, 0.9 GB for 847 classes at 512, are never made; with windows, padding, flips and other
    sizes too, and under `MeanTTAModel`.

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

    @property
    def vocabulary(self) -> Vocabulary:
        return self.decode_head.vocabulary

    def set_classes(self, *words, **options) -> None:
        if not hasattr(self.decode_head, 'set_classes'):
            raise TypeError(
                f'{type(self.decode_head).__name__} has a fixed vocabulary; put it into '
                'a mmseg_zsclip.TextHead, or use another head of this package.'
            )
        self.decode_head.set_classes(*words, **options)
        self.follow_vocabulary()

    def sharing_weights(self) -> 'OneStageSegmentor':
        view = shallow_copy(self)
        view.decode_head = copy_of_modules(self.decode_head)
        return view

    def _auxiliary_head_forward_train(self, inputs: Sequence[Tensor], data_samples: list) -> dict:
        """As mmseg's; the pixels that `HideUnseen` has hidden are ignored, whatever the head."""
        labels = torch.stack([sample.gt_sem_seg.data for sample in data_samples]).squeeze(1)
        labels = labels.masked_fill(labels == UNLABELLED, self.decode_head.ignore_index)
        return super()._auxiliary_head_forward_train(inputs, relabelled(data_samples, labels))

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list:
        """Samples with `pred_sem_seg` and, unless `keep_scores=False`, `seg_logits`."""
        if self.test_cfg.get('keep_scores', True) or data_samples is None:
            return super().predict(inputs, data_samples)
        for sample, rows in zip(data_samples, self.score_rows(inputs, data_samples), strict=True):
            sample.pred_sem_seg = PixelData(data=best_labels([rows])[None])
        return data_samples

    def postprocess_result(self, seg_logits: Tensor, data_samples: list | None = None) -> list:
        """As mmseg's; scores that have the photo's size already are not copied."""
        if data_samples is None or self.out_channels < 2:
            return super().postprocess_result(seg_logits, data_samples)
        for scores, sample in zip(seg_logits, data_samples, strict=True):
            scores = self.of_the_photo(scores, sample.metainfo)
            sample.set_data(
                dict(
                    seg_logits=PixelData(data=scores),
                    pred_sem_seg=PixelData(data=scores.argmax(dim=0, keepdim=True)),
                )
            )
        return data_samples

    def of_the_photo(self, scores: Tensor, meta: Mapping) -> Tensor:
        """Scores (C, H, W) of the image that the model saw, at the photo's size, as it stands."""
        rows, columns, flip = kept_part(meta, scores.shape[1:])
        scores = scores[:, rows, columns]
        scores = scores.flip(flip) if flip else scores
        size = tuple(meta['ori_shape'][:2])
        if scores.shape[1:] == size:
            return scores
        return resize(scores[None], size=size, mode='bilinear', align_corners=self.align_corners)[0]

    @property
    def has_rows(self) -> bool:
        """Whether scores can be made row by row from coarse ones, see `score_rows`."""
        head = self.inner_head
        resizes = getattr(type(head), 'predict_by_feat', None) is BaseDecodeHead.predict_by_feat
        return (
            self.test_cfg.get('pamr') is None
            and self.in_two_steps
            and self.out_channels > 1
            and (resizes or hasattr(head, 'finish'))
        )

    def photo_scores(self, inputs: Tensor, data_samples: Sequence) -> list[ScoreRows]:
        """`score_rows`, and of a head that has none the scores at the size of the images."""
        if self.has_rows:
            return self.score_rows(inputs, data_samples)
        metas = [sample.metainfo for sample in data_samples]
        scores = self.inference(inputs, metas).float()
        return [
            whole_rows(one, meta, self.align_corners)
            for one, meta in zip(scores, metas, strict=True)
        ]

    def probabilities(self, scores: Tensor) -> Tensor:
        """Scores (C, ...) of one photo -> how sure each class is, in [0, 1]: their softmax, or the
        head's own."""
        own = getattr(self.inner_head, 'probabilities', None)
        if own is not None:
            return own(scores)
        return scores.softmax(dim=0) if self.in_two_steps else scores.clamp(0, 1)

    def score_rows(self, inputs: Tensor, data_samples: Sequence) -> list[ScoreRows]:
        """Of images (B, 3, H, W): for each, the scores that `predict` gives it, row by row.

        Raises:
            ValueError: `pamr`, or a head whose scores cannot be made so, see `has_rows`.
        """
        check_test_cfg(self.test_cfg)
        head = self.inner_head
        if not self.has_rows:
            raise ValueError(
                'test_cfg.keep_scores=False needs two classes or more, no pamr, and a head that '
                f"predicts as mmseg's do; here are {self.out_channels} class(es), "
                f'pamr={self.test_cfg.get("pamr")} and {type(head).__name__}. Remove keep_scores.'
            )
        metas = [sample.metainfo for sample in data_samples]
        image = tuple(inputs.shape[2:])
        sizes = (image, image)
        if self.test_cfg.mode == 'slide':
            sizes = (self.test_cfg.crop_size, self.test_cfg.stride)
        window, corners = window_corners(image, *sizes)
        parts = [[] for _ in metas]
        for some, places in cut_windows(inputs, window, corners, self.window_batch):
            scores = self.coarse(some, [metas[i] for i, *_ in places])
            for (i, *_), one in zip(places, scores, strict=True):
                parts[i].append(one)
        finish = getattr(head, 'finish', None)
        return [
            ScoreRows(part, corners, window, image, finish, self.align_corners, meta)
            for part, meta in zip(parts, metas, strict=True)
        ]

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Scores as the head gives them: (B, 3, H, W) -> (B, C, H, W)."""
        check_test_cfg(self.test_cfg)
        scores = super().inference(inputs, batch_img_metas)
        options = self.test_cfg.get('pamr')
        if options is None:
            return scores
        legal = list(inspect.signature(refine).parameters)[2:]
        if not isinstance(options, dict) or set(options) - set(legal):
            raise ValueError(
                f'test_cfg.pamr is {options}; legal: None for no refinement, or a dict '
                f'with any of {", ".join(legal)}.'
            )
        return refine(scores, inputs, **options)

    @property
    def inner_head(self) -> nn.Module:
        """The head that predicts: TextHead hands on to its own."""
        return getattr(self.decode_head, 'head', self.decode_head)

    @property
    def in_two_steps(self) -> bool:
        """The head makes coarse scores by `forward`, and `predict_by_feat` finishes them image by
        image, as every head does that leaves mmseg's `predict` as it is."""
        return getattr(type(self.inner_head), 'predict', None) is BaseDecodeHead.predict

    @property
    def window_batch(self) -> int:
        return self.test_cfg.get('window_batch', 16)

    def coarse(self, inputs: Tensor, batch_img_metas: Sequence[Mapping]) -> Tensor:
        """Checked scores of the head: (B, 3, H, W) -> (B, C, h, w) float32, at the head's own size.
        Where a class is forbidden, by -infinity, stands a number of which means can be taken."""
        scores = self.decode_head.forward(self.extract_feat(inputs))
        return finite_or_named(scores, inputs, batch_img_metas).float().clamp(min=-FAR)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Scores at the model's input size: (B, 3, H, W) -> (B, C, H, W).

        Raises:
            ValueError: NaN or infinity, see `finite_or_named`.
        """
        if self.in_two_steps:
            return self.decode_head.predict_by_feat(
                self.coarse(inputs, batch_img_metas), batch_img_metas
            )
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
            return [
                {**meta, 'img_shape': part.shape[2:]} for meta in itertools.islice(turn, len(part))
            ]

        windows = (inputs, self.test_cfg.crop_size, self.test_cfg.stride)
        if not self.in_two_steps:
            return mean_over_windows(
                *windows,
                lambda part: self.encode_decode(part, window_metas(part)),
                self.window_batch,
            )
        shape = torch.Size(map(min, zip(self.test_cfg.crop_size, inputs.shape[2:], strict=True)))
        return mean_over_windows(
            *windows,
            lambda part: self.coarse(part, window_metas(part)),
            self.window_batch,
            lambda one: self.decode_head.predict_by_feat(one, [dict(img_shape=shape)]),
        )
