"""The segmentor of every dense method here: mmseg's EncoderDecoder with batched sliding windows."""
import inspect
from collections.abc import Callable, Sequence

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from ..registry import MODELS
from ..upsample import best_classes
from .pamr import refine


def window_starts(size: int, crop: int, stride: int) -> list[int]:
    """First pixels of windows of `crop` that cover `size`; the last one ends at the border."""
    if size <= crop:
        return [0]
    return [*range(0, size - crop, stride), size - crop]


def mean_over_windows(img: Tensor, crop: Sequence[int], stride: Sequence[int],
                      score: Callable[[Tensor], Tensor], batch: int | None = None) -> Tensor:
    """Mean at every pixel of the scores of the windows that hold it.

    Args:
        img: (B, 3, H, W); windows larger than it shrink to it.
        crop, stride: (h, w) in pixels.
        score: windows (n, 3, h, w) -> (n, C, h, w).
        batch: windows a call; all at once if left out.

    Returns:
        (B, C, H, W).
    """
    height, width = img.shape[2:]
    high, wide = min(crop[0], height), min(crop[1], width)
    corners = [(y, x) for y in window_starts(height, high, stride[0])
               for x in window_starts(width, wide, stride[1])]
    windows = torch.cat([img[:, :, y:y + high, x:x + wide] for y, x in corners])
    scores = torch.cat([score(part) for part in windows.split(batch or len(windows))])
    total = scores.new_zeros(len(img), scores.shape[1], height, width)
    count = scores.new_zeros(height, width)
    for (y, x), part in zip(corners, scores.split(len(img)), strict=True):
        total[:, :, y:y + high, x:x + wide] += part
        count[y:y + high, x:x + wide] += 1
    return total / count


@MODELS.register_module()
class ZeroShotSegmentor(EncoderDecoder):
    """EncoderDecoder whose vocabulary can change and whose windows run as one batch.

    `test_cfg`: `mode='whole'`, or `mode='slide'` with `crop_size`, `stride` (both (h, w), pixels)
    and `window_batch` (windows per forward pass, 16 if left out). In both modes `pamr=dict()`, with
    options of `pamr.refine`, refines the scores by the image, at the size that the model sees.
    `keep_scores=False` predicts labels alone: the same ones, and the scores of every class at every
    pixel, 0.9 GB for 847 classes at 512, are never made.
    """

    def set_classes(self, classes: str | Sequence[str],
                    unseen: str | Sequence[str] | None = None, **options) -> None:
        """Change the vocabulary: names, synonyms by comma, or a shipped list. Nothing is rebuilt.

        `options` are what the head's own `set_classes` takes besides, as MaskCLIP's `background`.
        """
        self.decode_head.set_classes(classes, unseen, **options)
        self.num_classes = self.decode_head.num_classes
        self.out_channels = self.decode_head.out_channels

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
        scores = self.decode_head(self.extract_feat(inputs))
        for sample, meta, one in zip(data_samples, metas, scores.split(1), strict=True):
            sizes = [inputs.shape[2:], meta['ori_shape']]
            sample.pred_sem_seg = PixelData(data=best_classes(one, sizes, self.align_corners))
        return data_samples

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Scores as the head gives them: (B, 3, H, W) -> (B, C, H, W)."""
        scores = super().inference(inputs, batch_img_metas)
        options = self.test_cfg.get('pamr')
        if options is None:
            return scores
        legal = list(inspect.signature(refine).parameters)[2:]
        if not isinstance(options, dict) or set(options) - set(legal):
            raise ValueError(f'test_cfg.pamr is {options}; legal: None for no refinement, or a dict '
                             f'with any of {", ".join(legal)}.')
        return refine(scores, inputs, **options)

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Mean of the window scores at every pixel: (B, 3, H, W) -> (B, C, H, W)."""
        crop, stride = self.test_cfg.crop_size, self.test_cfg.stride
        if any(s > c for s, c in zip(stride, crop, strict=True)):
            raise ValueError(f'stride {tuple(stride)} is larger than crop_size {tuple(crop)}: '
                             'pixels between the windows would have no score. Use stride <= crop.')
        return mean_over_windows(
            inputs, crop, stride,
            lambda part: self.encode_decode(part, [dict(img_shape=part.shape[2:])] * len(part)),
            self.test_cfg.get('window_batch', 16))
