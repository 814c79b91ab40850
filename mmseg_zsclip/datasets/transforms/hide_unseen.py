"""Takes the unseen classes' labels out of the training data, before anything can look at them."""
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...vocabulary.labels import UNLABELLED, ignore_index
from ...vocabulary.lists import load_classes, load_unseen, split_indices

MODES = ('inductive', 'transductive', 'transductive-all', 'annotation-free', 'fully')
TRUTH = 'hidden_seg_map'


@TRANSFORMS.register_module()
class HideUnseen(BaseTransform):
    """Inductive: pixels of unseen classes become ignored. Transductive: `UNLABELLED` (-1), the
    only pixels that may be pseudo-labelled; ignored pixels are not among them. Transductive-all:
    these too, whatever the annotators left out (ZegCLIP's table 2: "ST" without a dagger).
    Annotation-free: pixels of all classes become `UNLABELLED`. Fully: nothing is hidden. Padding
    comes later and stays ignored.

    Put it directly behind `LoadLabels`: a crop that is chosen by class shares (`cat_max_ratio`)
    must not see the hidden labels either. Where all classes are seen it changes nothing.

    Required and modified key: `gt_seg_map` (H, W) int32. Added with `keep_truth`:
    `hidden_seg_map`, the labels as they were, which later transforms crop and flip alike. Only the
    log of a self-trained model reads it, where `PackSegInputs` packs it (`meta_keys`).

    Args:
        classes: full class list, as `load_classes` takes it.
        unseen: unseen classes, as `load_unseen` takes them.
        mode: `'inductive'`, `'transductive'`, `'transductive-all'`, `'annotation-free'` or
            `'fully'`.
        keep_truth: keep the labels beside, to compare pseudo-labels with.

    Raises:
        ValueError: unknown mode, an unseen name that is no class, or a `gt_seg_map` that cannot
            hold -1 (loaded as uint8).
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        unseen: str | Sequence[str],
        mode: str = 'inductive',
        keep_truth: bool = False,
    ) -> None:
        self.classes = load_classes(classes)
        _, self.unseen = split_indices(self.classes, load_unseen(unseen))
        self.set_mode(mode, keep_truth)

    def set_mode(self, mode: str, keep_truth: bool = False) -> None:
        """Change both."""
        if mode not in MODES:
            raise ValueError(f'HideUnseen: unknown mode {mode!r}; legal: {", ".join(MODES)}.')
        self.mode = mode
        self.keep_truth = keep_truth
        ignored = ignore_index(len(self.classes))
        self.hidden = {
            'transductive-all': (*self.unseen, ignored),
            'annotation-free': tuple(range(len(self.classes))),
            'fully': ()}.get(mode, self.unseen)
        self.value = ignored if mode == 'inductive' else UNLABELLED

    def transform(self, results: dict) -> dict:
        labels = results['gt_seg_map']
        if not np.can_cast(np.min_scalar_type(self.value), labels.dtype):
            raise ValueError(
                f'HideUnseen: gt_seg_map is {labels.dtype}, which cannot hold {self.value}.'
                ' Load the labels with mmseg_zsclip.LoadLabels (int32).')
        if self.keep_truth:
            results[TRUTH] = labels
            results['seg_fields'].append(TRUTH)
        results['gt_seg_map'] = np.where(
            np.isin(labels, self.hidden), labels.dtype.type(self.value), labels)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(mode={self.mode!r}, unseen={self.unseen})'
