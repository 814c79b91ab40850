"""Names of scalars that every logger takes; results,
log and `scalars.json` keep the metrics' own."""

import re

from mmengine.visualization import LocalVisBackend, Visualizer
from mmengine.visualization.vis_backend import BaseVisBackend

# MLflow's own rule, the narrowest: letters, digits, _ - . space and / between parts
_ILLEGAL = re.compile(r'[^\w./ -]+', re.ASCII)


def legal_name(name: str) -> str:
    """`mIoU(U)` -> `mIoU_U`: what a logger refuses becomes `_`, none of it at the end of a part."""
    parts = (_ILLEGAL.sub('_', part).strip('_ ') for part in name.split('/'))
    return '/'.join(part for part in parts if part.strip('.')) or 'unnamed'


def legal_scalars(scalars: dict) -> dict:
    """Scalars with legal names.

    Raises:
        ValueError: two of them would have one name.
    """
    out, origin = {}, {}
    for name, value in scalars.items():
        legal = legal_name(name)
        if legal in out:
            raise ValueError(
                f'the scalars {origin[legal]!r} and {name!r} would both be {legal!r} '
                'for a logger. Give the metrics that write them another prefix'
            )
        out[legal], origin[legal] = value, name
    return out


def use_legal_names(visualizer: Visualizer) -> Visualizer:
    """`visualizer`, whose backends get legal names; `LocalVisBackend` is a file of ours."""
    for backend in visualizer._vis_backends.values():
        if not isinstance(backend, LocalVisBackend):
            _wrap(backend)
    return visualizer


def _wrap(backend: BaseVisBackend) -> None:
    one, many = backend.add_scalar, backend.add_scalars

    def add_scalar(name, *args, **kwargs):
        return one(legal_name(name), *args, **kwargs)

    def add_scalars(scalar_dict, *args, **kwargs):
        return many(legal_scalars(scalar_dict), *args, **kwargs)

    backend.add_scalar, backend.add_scalars = add_scalar, add_scalars
