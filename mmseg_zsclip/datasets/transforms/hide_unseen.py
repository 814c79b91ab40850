"""Takes the unseen classes' labels out of the training data, before anything can look at them."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...vocabulary.labels import UNLABELLED, ignore_index
from ...vocabulary.lists import load_classes, load_unseen, split_indices
from ..facts import Facts, known

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
        classes: full class list, as `load_classes` takes it. By default the data set says.
        unseen: unseen classes, as `load_unseen` takes them. By default the data set says.
        mode: `'inductive'` (the default), `'transductive'`, `'transductive-all'`,
            `'annotation-free'` or `'fully'`. The `setting` of a data set takes its place.
        keep_truth: keep the labels beside, to compare pseudo-labels with.

    Raises:
        ValueError: unknown mode, an unseen name that is no class, or a `gt_seg_map` that cannot
            hold -1 (loaded as uint8); lists that neither it nor the data set was given, or that
            contradict the data set's.
    """

    def __init__(
        self,
        classes: str | Sequence[str] | None = None,
        unseen: str | Sequence[str] | None = None,
        mode: str = 'inductive',
        keep_truth: bool = False,
    ) -> None:
        self.classes = None if classes is None else load_classes(classes)
        self.unseen_names = None if unseen is None else load_unseen(unseen, self.classes)
        self.unseen = self.hidden = None
        self.set_mode(mode, keep_truth)

    def learn(self, facts: Facts) -> None:
        """Take what the data set says where nothing was given.

        Raises:
            ValueError: neither says which classes are unseen, or the two contradict.
        """
        self.classes = facts.settle_classes('HideUnseen', self.classes)
        self.unseen_names = facts.settle_unseen('HideUnseen', self.unseen_names)
        known(self.unseen_names, 'HideUnseen', 'unseen')
        self.set_mode(self.mode, self.keep_truth)

    def set_mode(self, mode: str, keep_truth: bool = False) -> None:
        """Change both."""
        if mode not in MODES:
            raise ValueError(f'HideUnseen: unknown mode {mode!r}; legal: {", ".join(MODES)}.')
        self.mode = mode
        self.keep_truth = keep_truth
        if self.classes is None or self.unseen_names is None:
            return
        _, self.unseen = split_indices(self.classes, self.unseen_names)
        ignored = ignore_index(len(self.classes))
        self.hidden = {
            'transductive-all': (*self.unseen, ignored),
            'annotation-free': tuple(range(len(self.classes))),
            'fully': (),
        }.get(mode, self.unseen)
        self.value = ignored if mode == 'inductive' else UNLABELLED

    def transform(self, results: dict) -> dict:
        known(self.classes, 'HideUnseen')
        known(self.unseen_names, 'HideUnseen', 'unseen')
        labels = results['gt_seg_map']
        if not np.can_cast(np.min_scalar_type(self.value), labels.dtype):
            raise ValueError(
                f'HideUnseen: gt_seg_map is {labels.dtype}, which cannot hold {self.value}.'
                ' Load the labels with mmseg_zsclip.LoadLabels (int32).'
            )
        if self.keep_truth:
            results[TRUTH] = labels
            results['seg_fields'].append(TRUTH)
        results['gt_seg_map'] = np.where(
            np.isin(labels, self.hidden), labels.dtype.type(self.value), labels
        )
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(mode={self.mode!r}, unseen={self.unseen})'
