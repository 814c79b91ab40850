"""Models by name: the one table of what each is, needs, gives and costs."""

from difflib import get_close_matches
from typing import NamedTuple

from .configs import ConfigNotFoundError, find_config, shipped_configs


class NamedModel(NamedTuple):
    """A row of the table.

    Args:
        config: name of a shipped config, or the path of any.
        method, tower: names of the method, and of the CLIP that knows images.
        gives: tasks.
        costs: parameters, and where they were counted the multiply-accumulates of a photo of 512 x
            512 (of the toy world 128 x 128), or of one window (*): `python
            tools/analysis_tools/efficiency.py CONFIG --size 512 512 --runs 0`.
        download: size of OpenAI's weights, where the package has none; `clip_weights` takes a file
            that is there.
        checkpoint: the command that makes the checkpoint; None where nothing is trained.
        background: words for 'everything else', see `load_classes`.
    """

    config: str
    method: str = ''
    tower: str = 'tiny ViT'
    gives: str = 'semantic'
    costs: str = ''
    download: str | None = None
    checkpoint: str | None = None
    background: str = 'background26'

    @property
    def needs(self) -> str:
        """What the user must have or wait for, in a few words."""
        parts = [self.download and f'{self.download} of CLIP', self.checkpoint and 'a checkpoint']
        return ', '.join(filter(None, parts)) or 'nothing'


def trained(config: str, method: str, **row) -> NamedModel:
    """A model of ours, for the user to train."""
    return NamedModel(config, method, checkpoint=f'zsclip train {config}', **row)


def released(config: str, method: str, converter: str, **row) -> NamedModel:
    """A model of the authors, whose file is converted."""
    made = f'python tools/model_converters/official.py {converter} RELEASED FILE'
    return NamedModel(config, method, checkpoint=made, **row)


TOY = dict(background='toy')
VIT_B16 = dict(tower='ViT-B/16', download='351 MB')
VIT_L14 = dict(tower='ViT-L/14', download='934 MB')
RN50 = dict(tower='RN50', download='256 MB')
SEGMENTS = dict(gives='semantic, instance, panoptic')
CLOSED = dict(gives='semantic, its own classes')
MODELS = {
    'toy': NamedModel('toy_maskclip', 'MaskCLIP', costs='3 M, 0.7 G', **TOY),
    'toy-resnet': NamedModel('toy_maskclip_r', 'MaskCLIP', 'tiny ResNet', costs='1 M, 1 G', **TOY),
    'toy-maskclip-plus': trained('toy_maskclip_plus', 'MaskCLIP+', costs='3 M', **TOY),
    'toy-zegclip': trained('toy_inductive', 'ZegCLIP', costs='4 M, 0.2 G*', **TOY),
    'toy-maft': trained('toy_maft', 'MAFT', costs='6 M', **SEGMENTS, **TOY),
    'toy-masqclip': trained('toy_masqclip', 'MasQCLIP', costs='6 M', **SEGMENTS, **TOY),
    'toy-mta-clip': trained('toy_mta_clip', 'MTA-CLIP', costs='2 M', **CLOSED, **TOY),
    'maskclip-vit-b16': NamedModel(
        'maskclip_vit-b16_voc20', 'MaskCLIP', costs='86 M, 105 G', **VIT_B16
    ),
    'maskclip-vit-b16-windows': NamedModel(
        'maskclip_vit-b16_voc20_windows', 'MaskCLIP', costs='86 M, 17 G*', **VIT_B16
    ),
    'maskclip-r50': NamedModel('maskclip_r50_voc20', 'MaskCLIP', costs='38 M, 31 G', **RN50),
    'maskclip-plus': trained(
        'maskclip_plus_r50_deeplabv2_coco-stuff', 'MaskCLIP+', costs='81 M, 336 G', **RN50
    ),
    'zegclip-voc': trained('voc_inductive', 'ZegCLIP', costs='94 M, 109 G*', **VIT_B16),
    'zegclip-coco-stuff': trained(
        'coco_stuff_inductive', 'ZegCLIP', costs='95 M, 114 G*', **VIT_B16
    ),
    'zegclip-voc-released': released(
        'voc_inductive_released', 'ZegCLIP', 'zegclip', costs='95 M', **VIT_B16
    ),
    'maft': trained('coco_stuff_all_maft', 'MAFT', costs='153 M', **SEGMENTS, **VIT_B16),
    'maft-released': released(
        'coco_stuff_all_maft_released',
        'MAFT',
        'maft --config coco_stuff_all_maft_released',
        costs='153 M',
        **SEGMENTS,
        **VIT_B16,
    ),
    'masqclip': trained('coco_panoptic_masq', 'MasQCLIP', costs='374 M', **SEGMENTS, **VIT_L14),
    'masqclip-released': released(
        'coco_panoptic_masq_released',
        'MasQCLIP',
        'masqclip',
        costs='374 M',
        **SEGMENTS,
        **VIT_L14,
    ),
    'mta-clip-ade20k': trained('ade20k_r50', 'MTA-CLIP', costs='62 M', **CLOSED, **RN50),
}


def named_model(name: str) -> NamedModel:
    """The row of a name, or one made of a config's path or name.

    Raises:
        ConfigNotFoundError: neither; the nearest of both are named.
    """
    if str(name) in MODELS:
        return MODELS[str(name)]
    try:
        return NamedModel(str(find_config(name)))
    except ConfigNotFoundError:
        legal = [*MODELS, *(path.stem for path in shipped_configs())]
        near = get_close_matches(str(name), legal, n=5, cutoff=0.5)
        hint = f'Nearest: {", ".join(near)}. ' if near else ''
        raise ConfigNotFoundError(
            f'there is no model {str(name)!r}, and no config of that path or name. {hint}'
            f'`zsclip models` lists {len(MODELS)} models.'
        ) from None
