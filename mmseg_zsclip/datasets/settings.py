"""Which labels training may see: said once for a data set, whatever it joins or wraps."""

from collections.abc import Sequence

from mmengine.dataset import BaseDataset, ConcatDataset
from mmseg.datasets.transforms import PackSegInputs

from ..registry import DATASETS
from .pipelines import pipelines, within
from .transforms.hide_unseen import TRUTH, HideUnseen


def choose_setting(dataset, mode: str | None, keep_truth: bool = False) -> None:
    """Every `HideUnseen` in the pipelines of a built data set gets this mode (None: keeps its own);
    with `keep_truth` the hidden labels are packed too.

    Raises:
        ValueError: unknown mode, or a pipeline without `HideUnseen`.
    """
    for transforms in pipelines(dataset):
        hiding = [one for one in within(transforms) if isinstance(one, HideUnseen)]
        if not hiding:
            raise ValueError(
                f'a pipeline of {type(dataset).__name__} has no HideUnseen, so the setting'
                f" {mode!r} would hide nothing. Put dict(type='mmseg_zsclip.HideUnseen')"
                ' behind LoadLabels.'
            )
        for transform in hiding:
            transform.set_mode(mode or transform.mode, keep_truth)
        for transform in within(transforms):
            if keep_truth and isinstance(transform, PackSegInputs):
                transform.meta_keys = (*transform.meta_keys, TRUTH)


@DATASETS.register_module()
class JoinedDataset(ConcatDataset):
    """mmengine's `ConcatDataset` with one setting for all its parts.

    Args:
        datasets: configs of the parts, or the parts.
        setting, keep_truth: see `SegDataset`.
        **kwargs: see mmengine's `ConcatDataset`.

    Raises:
        ValueError: see `choose_setting`; parts of other classes, or of other unseen ones.
    """

    def __init__(
        self, datasets: Sequence, setting: str | None = None, keep_truth: bool = False, **kwargs
    ) -> None:
        super().__init__(datasets, **kwargs)
        if setting or keep_truth:
            choose_setting(self, setting, keep_truth)


@DATASETS.register_module()
def hide_labels(dataset: dict, mode: str, keep_truth: bool = False) -> BaseDataset:
    """The data set with another mode of the `HideUnseen` in its pipelines: for data sets that have
    no `setting` of their own, as mmengine's wrappers.

    Args:
        dataset: config of any data set.
        mode, keep_truth: see `HideUnseen`; with `keep_truth` the hidden labels are packed too.

    Raises:
        ValueError: see `choose_setting`.
    """
    built = DATASETS.build(dataset)
    choose_setting(built, mode, keep_truth)
    return built
