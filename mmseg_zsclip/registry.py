"""Child registries of MMSegmentation's: ours are named `mmseg_zsclip.<Class>` in a config.

`locations` are imported when a type is first looked up, so importing this module stays light.
"""
from mmengine.registry import Registry
from mmseg import registry as mmseg


def _child(parent: Registry, location: str) -> Registry:
    return Registry(
        parent.name, parent=parent, scope='mmseg_zsclip', locations=[f'mmseg_zsclip.{location}'])


MODELS = Registry(
    'model',
    parent=mmseg.MODELS,
    scope='mmseg_zsclip',
    locations=['mmseg_zsclip.models', 'mmseg_zsclip.losses'])
DATASETS = _child(mmseg.DATASETS, 'datasets')
TRANSFORMS = _child(mmseg.TRANSFORMS, 'datasets')
METRICS = _child(mmseg.METRICS, 'evaluation')
HOOKS = _child(mmseg.HOOKS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmseg.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
