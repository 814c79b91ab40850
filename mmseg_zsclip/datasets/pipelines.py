"""Where transforms are: in data sets, joined and wrapped ones,
in their configs and in one another."""

from collections.abc import Iterator

from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose


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
    for one in config_parts(node):
        if id(one['pipeline']) not in seen:
            seen.add(id(one['pipeline']))
            yield one['pipeline']


def config_parts(node) -> Iterator[dict]:
    """The configs in a data set's config that have a pipeline of their own, outermost first."""
    if isinstance(node, dict):
        if 'pipeline' in node:
            yield node
        node = [child for key, child in node.items() if key != 'pipeline']
    if isinstance(node, list | tuple):
        for child in node:
            yield from config_parts(child)


def within(value) -> Iterator[BaseTransform]:
    """Transforms of a list and those that they are made of, as `TestTimeAug` is."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from within(one)
    elif isinstance(value, BaseTransform | Compose):
        if isinstance(value, BaseTransform):
            yield value
        for one in vars(value).values():
            yield from within(one)
