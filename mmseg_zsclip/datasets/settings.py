"""One data set config for every setting: which labels training may see is said in one line."""
from collections.abc import Iterator

from mmengine.dataset import BaseDataset
from mmseg.datasets.transforms import PackSegInputs

from ..registry import DATASETS
from .transforms.hide_unseen import TRUTH, HideUnseen


def pipelines(dataset) -> Iterator[list]:
    """Lists of transforms of a data set and of those that it wraps."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for one in inner:
        if one is not None:  # not `if one`, whose length would read the whole folder
            yield from pipelines(one)
    if hasattr(dataset, 'pipeline'):
        yield dataset.pipeline.transforms


def config_pipelines(node) -> Iterator[list]:
    """Lists of transforms in a data set's config, those of joined and wrapped data sets included,
    each once."""
    seen = set()

    def walk(node) -> Iterator[list]:
        if isinstance(node, dict):
            if 'pipeline' in node and id(node['pipeline']) not in seen:
                seen.add(id(node['pipeline']))
                yield node['pipeline']
            node = [child for key, child in node.items() if key != 'pipeline']
        if isinstance(node, list | tuple):
            for child in node:
                yield from walk(child)

    yield from walk(node)


@DATASETS.register_module()
def hide_labels(dataset: dict, mode: str, keep_truth: bool = False) -> BaseDataset:
    """The data set with another `mode` of the `HideUnseen` in its pipelines.

    In a config: `train_dataloader = dict(dataset=dict(_delete_=True,
    type='mmseg_zsclip.hide_labels', mode='transductive',
    dataset={{_base_.train_dataloader.dataset}}))`.

    Args:
        dataset: config of any data set.
        mode, keep_truth: see `HideUnseen`; with `keep_truth` the hidden labels are packed too.

    Raises:
        ValueError: unknown mode, or a pipeline without `HideUnseen`.
    """
    built = DATASETS.build(dataset)
    for transforms in pipelines(built):
        hiding = [transform for transform in transforms if isinstance(transform, HideUnseen)]
        if not hiding:
            raise ValueError(
                f'hide_labels: a pipeline of {type(built).__name__} has no HideUnseen, so mode'
                f" {mode!r} would hide nothing. Put dict(type='mmseg_zsclip.HideUnseen', ...)"
                ' behind LoadLabels.')
        for transform in hiding:
            transform.set_mode(mode, keep_truth)
        for transform in transforms:
            if keep_truth and isinstance(transform, PackSegInputs):
                transform.meta_keys = (*transform.meta_keys, TRUTH)
    return built
