"""Our registries: a class here is `mmseg_zsclip.<Class>` in any config of the OpenMMLab family.

They are children of MMEngine's own and not of MMSegmentation's: MMEngine finds a scope only among
the children of its root, so a grandchild would be invisible from `default_scope='mmdet'` or from
code that sets no scope. `locations` are imported at the first look-up;
importing this file is light.
"""

from mmengine import registry as root
from mmengine.registry import Registry


def _child(parent: Registry, *packages: str) -> Registry:
    return Registry(
        parent.name,
        parent=parent,
        scope='mmseg_zsclip',
        locations=[f'mmseg_zsclip.{package}' for package in packages],
    )


MODELS = _child(root.MODELS, 'models', 'losses')
DATASETS = _child(root.DATASETS, 'datasets', 'toy.dataset')
TRANSFORMS = _child(root.TRANSFORMS, 'datasets')
METRICS = _child(root.METRICS, 'evaluation')
HOOKS = _child(root.HOOKS, 'engine')
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
RUNNERS = _child(root.RUNNERS, 'engine')
INFERENCERS = _child(root.INFERENCERS, 'apis.inferencer')
