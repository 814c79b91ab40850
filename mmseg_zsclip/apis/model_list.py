"""Models by name: the one table of what each is, needs, gives and costs."""

from difflib import get_close_matches
from typing import NamedTuple

from .configs import ConfigNotFoundError, find_config, shipped_configs

DOWNLOAD = 'downloads OpenAI CLIP'
OFFICIAL = 'python tools/model_converters/official.py {} RELEASED OUT'


class NamedModel(NamedTuple):
    """A row of the table.

    Args:
        config: name of a shipped config.
        needs: beside the package.
        gives: tasks.
        costs: parameters (M) of all towers, and seconds a photo, see `docs/segmenter.md`.
        checkpoint: the command that makes the checkpoint; None where nothing is trained.
        background: words for 'everything else', see `load_classes`.
    """

    config: str
    needs: str
    gives: str = 'semantic'
    costs: str = ''
    checkpoint: str | None = None
    background: str = 'background26'


def trained(config: str, *released: str, **row) -> NamedModel:
    """A model whose checkpoint comes from `zsclip train`, or from its authors' release."""
    made = ', or '.join([f'zsclip train {config}', *(OFFICIAL.format(one) for one in released)])
    return NamedModel(config, f'a checkpoint: {made}', checkpoint=made, **row)


ALL_TASKS = 'semantic, instance, panoptic'
TOY = dict(background='toy')
MODELS = {
    'toy': NamedModel('toy_maskclip', 'nothing', **TOY),
    'toy-resnet': NamedModel('toy_maskclip_r', 'nothing', **TOY),
    'toy-zegclip': trained('toy_inductive', **TOY),
    'toy-maft': trained('toy_maft', gives=ALL_TASKS, **TOY),
    'toy-masqclip': trained('toy_masqclip', gives=ALL_TASKS, **TOY),
    'maskclip-vit-b16': NamedModel('maskclip_vit-b16_voc20', DOWNLOAD),
    'maskclip-vit-b16-windows': NamedModel('maskclip_vit-b16_voc20_windows', DOWNLOAD),
    'maskclip-r50': NamedModel('maskclip_r50_voc20', DOWNLOAD),
    'maskclip-plus-r50': trained('maskclip_plus_r50_deeplabv2_coco-stuff', 'maskclip_plus'),
    'zegclip-voc': trained('voc_inductive', 'zegclip'),
    'zegclip-coco-stuff': trained('coco_stuff_inductive', 'zegclip'),
    'maft-coco-stuff': trained('coco_stuff_maft', 'maft', gives=ALL_TASKS),
    'maft-open': trained('coco_stuff_all_maft', gives=ALL_TASKS),
    'masqclip-coco': trained('coco_panoptic_masq', 'masqclip', gives=ALL_TASKS),
}


def named_model(name: str) -> NamedModel:
    """The row of a name, or one made of a config's path or name.

    Raises:
        ConfigNotFoundError: neither; the nearest of both are named.
    """
    if str(name) in MODELS:
        return MODELS[str(name)]
    try:
        return NamedModel(str(find_config(name)), '')
    except ConfigNotFoundError:
        legal = [*MODELS, *(path.stem for path in shipped_configs())]
        near = get_close_matches(str(name), legal, n=5, cutoff=0.5) or list(MODELS)
        raise ConfigNotFoundError(
            f'there is no model {str(name)!r}, and no config of that path or name. Nearest: '
            f'{", ".join(near)}. `zsclip models` lists {len(MODELS)} models.'
        ) from None
