"""CLIP's facts, once: sizes of the towers, image statistics, and the activation of published tags.

Our own table holds the architectures we test; any other open_clip name whose towers are a plain ViT
or ModifiedResNet with CLIP's own tokenizer is derived from open_clip's model config.
Source of the numbers: Radford et al. 2021 (Learning Transferable Visual Models), tables 19-20.
"""

import difflib
from dataclasses import dataclass, replace
from pathlib import Path

from .vit import ACTIVATIONS

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_SUFFIXES = {'-quickgelu': 'quick_gelu', '-gelu': 'gelu'}


def import_open_clip():
    """open_clip, whose tokenizer, prompt templates and tables of sizes and weights we use.

    Raises:
        ImportError: not installed; says how to install it.
    """
    try:
        import open_clip
    except ModuleNotFoundError as error:
        if error.name != 'open_clip':
            raise
        raise ImportError(
            "open_clip is needed for CLIP's tokenizer and for its published weights: "
            "pip install 'open_clip_torch>=2.29'"
        ) from error
    return open_clip


def to_255(stats) -> tuple[float, ...]:
    """Image statistics of [0, 1] RGB in the units of [0, 255] RGB, which mmseg wants."""
    return tuple(255.0 * value for value in stats)


@dataclass(frozen=True)
class CLIPArch:
    """Sizes of one CLIP. Pixels for `image_size` and `patch_size`; every width is in channels.

    `vision_layers` is the number of ViT blocks, or the 4 stage depths of a ModifiedResNet, whose
    `patch_size` is None, whose `vision_width` is the stem's and whose heads are the attention
    pool's. `activation` belongs to the weights, not to the shape: the loader replaces it by what
    the weights record, and 'gelu' here is only what random weights get.
    """

    name: str
    embed_dim: int
    image_size: int
    vision_layers: int | tuple[int, int, int, int]
    vision_width: int
    patch_size: int | None
    vision_heads: int
    text_width: int
    text_heads: int
    text_layers: int
    context_length: int = 77
    vocab_size: int = 49408
    activation: str = 'gelu'
    norm_eps: float = 1e-5
    vision_mlp_ratio: float = 4.0

    def __post_init__(self):
        if isinstance(self.vision_layers, list):
            object.__setattr__(self, 'vision_layers', tuple(self.vision_layers))
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f'activation of {self.name!r} is {self.activation!r}; '
                f'legal: {", ".join(ACTIVATIONS)}'
            )
        if self.is_resnet != (self.patch_size is None):
            raise ValueError(
                f'{self.name!r} has vision_layers={self.vision_layers} and patch_size='
                f'{self.patch_size}: a ViT has a number of blocks and a patch size, '
                f'a ModifiedResNet four stage depths and patch_size=None'
            )

    @property
    def is_resnet(self) -> bool:
        return isinstance(self.vision_layers, tuple)

    @property
    def stride(self) -> int:
        """Pixels per cell of the last feature map (patch size of a ViT, 32 of a ResNet)."""
        return 32 if self.is_resnet else self.patch_size

    @property
    def grid(self) -> int:
        """Cells on a side of the grid the position embeddings were trained on."""
        return self.image_size // self.stride


def _table(rows) -> dict[str, CLIPArch]:
    return {row[0]: CLIPArch(*row) for row in rows}


# name, embed_dim, image, vision layers, width, patch, heads, text width, heads, layers
ARCHS: dict[str, CLIPArch] = _table(
    [
        ('ViT-B-32', 512, 224, 12, 768, 32, 12, 512, 8, 12),
        ('ViT-B-16', 512, 224, 12, 768, 16, 12, 512, 8, 12),
        ('ViT-L-14', 768, 224, 24, 1024, 14, 16, 768, 12, 12),
        ('ViT-L-14-336', 768, 336, 24, 1024, 14, 16, 768, 12, 12),
        ('ViT-H-14', 1024, 224, 32, 1280, 14, 16, 1024, 16, 24),
        ('RN50', 1024, 224, (3, 4, 6, 3), 64, None, 32, 512, 8, 12),
        ('RN101', 512, 224, (3, 4, 23, 3), 64, None, 32, 512, 8, 12),
        ('RN50x4', 640, 288, (4, 6, 10, 6), 80, None, 40, 640, 10, 12),
        ('RN50x16', 768, 384, (6, 8, 18, 8), 96, None, 48, 768, 12, 12),
        ('RN50x64', 1024, 448, (3, 15, 36, 10), 128, None, 64, 1024, 16, 12),
        # ours: small enough to pre-train on a CPU
        ('ViT-XS-8', 192, 48, 6, 192, 8, 3, 128, 2, 4),
        ('ViT-T-8', 192, 64, 6, 192, 8, 3, 128, 2, 4),
        ('RN-T', 128, 128, (1, 1, 1, 1), 16, None, 8, 128, 2, 4),
    ]
)

# (architecture, name of weights) -> file in the package; docs/toy_clip.md says how they were made
EMBEDDED: dict[tuple[str, str], str] = {
    ('ViT-T-8', 'toy'): 'vit_contrastive.pt',
    ('ViT-T-8', 'toy-dense'): 'vit_dense.pt',
    ('RN-T', 'toy'): 'resnet_contrastive.pt',
}
EMBEDDED_FOLDER = Path(__file__).parents[1] / 'toy' / 'weights'

_PLAIN_VISION = {'image_size', 'layers', 'width', 'patch_size', 'head_width', 'mlp_ratio'}
_PLAIN_TEXT = {'context_length', 'vocab_size', 'width', 'heads', 'layers'}
_PLAIN_TOP = {'embed_dim', 'quick_gelu', 'vision_cfg', 'text_cfg'}


def is_plain(config: dict) -> bool:
    """Whether an open_clip model config describes towers that we build.

    Decided by the config's keys: anything beyond the sizes of a ViT / ModifiedResNet and of CLIP's
    text transformer (timm or Hugging Face towers, other pooling, layer scale, another tokenizer)
    is not.
    """
    return (
        set(config) <= _PLAIN_TOP
        and set(config.get('vision_cfg', {})) <= _PLAIN_VISION
        and set(config.get('text_cfg', {})) <= _PLAIN_TEXT
    )


def arch_from_config(name: str, config: dict) -> CLIPArch:
    """CLIPArch of an open_clip model config (the dict of its .json).

    Raises:
        ValueError: not plain; names what stands in the way, and the names that work.
    """
    if not is_plain(config):
        vision, text = config.get('vision_cfg', {}), config.get('text_cfg', {})
        extra = sorted(set(config) - _PLAIN_TOP)
        extra += sorted(f'vision_cfg.{key}' for key in set(vision) - _PLAIN_VISION)
        extra += sorted(f'text_cfg.{key}' for key in set(text) - _PLAIN_TEXT)
        raise ValueError(
            f'{name!r} is not a plain ViT or ModifiedResNet CLIP (its config has '
            f'{", ".join(extra)}). Names that work: {", ".join(plain_names())}'
        )
    vision, text = config['vision_cfg'], config['text_cfg']
    layers, width = vision['layers'], vision['width']
    is_resnet = isinstance(layers, (list, tuple))
    head_width = vision.get('head_width', 64)
    return CLIPArch(
        name=name,
        embed_dim=config['embed_dim'],
        image_size=vision['image_size'],
        vision_layers=tuple(layers) if is_resnet else layers,
        vision_width=width,
        patch_size=None if is_resnet else vision['patch_size'],
        vision_heads=(width * 32 if is_resnet else width) // head_width,
        text_width=text['width'],
        text_heads=text['heads'],
        text_layers=text['layers'],
        context_length=text['context_length'],
        vocab_size=text['vocab_size'],
        activation='quick_gelu' if config.get('quick_gelu') else 'gelu',
        vision_mlp_ratio=vision.get('mlp_ratio', 4.0),
    )


def plain_names() -> list[str]:
    """Every architecture name that `get_arch` takes, ours first, then open_clip's plain ones."""
    open_clip = import_open_clip()
    names = list(ARCHS)
    for name in sorted(open_clip.list_models()):
        if name not in ARCHS and is_plain(open_clip.get_model_config(name)):
            names.append(name)
    return names


def canonical_name(name: str) -> str:
    """OpenAI's spelling ('ViT-L/14@336px') to open_clip's ('ViT-L-14-336')."""
    return name.replace('@336px', '-336').replace('/', '-')


def base_name(name: str) -> str:
    """Architecture name in open_clip's spelling, without a suffix that states the activation."""
    name = canonical_name(name)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def stated_activation(name: str) -> str | None:
    """Activation that the suffix of a name states ('ViT-B-16-quickgelu'), None without one."""
    return next((act for suffix, act in _SUFFIXES.items() if name.endswith(suffix)), None)


def get_arch(name: 'str | CLIPArch') -> CLIPArch:
    """Architecture by name; a CLIPArch passes through.

    OpenAI's spelling ('ViT-L/14@336px') works too. The suffixes '-quickgelu' and '-gelu' state the
    activation for weights that do not record theirs.

    Raises:
        ValueError: unknown name or towers that are not plain; lists the names that work.
    """
    if isinstance(name, CLIPArch):
        return name
    asked, name = name, canonical_name(name)
    if name in ARCHS:
        return ARCHS[name]
    base = base_name(name)
    arch = ARCHS.get(base)
    if arch is None:
        open_clip = import_open_clip()
        config = open_clip.get_model_config(base)
        arch = None if config is None else arch_from_config(base, config)
    if arch is not None:
        return replace(arch, name=name, activation=stated_activation(name) or arch.activation)
    names = plain_names()
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
    rest = [other for other in names if other not in near]
    hint = f'did you mean {", ".join(near)}? ' if near else ''
    raise ValueError(
        f'unknown CLIP architecture {asked!r}: {hint}All names: {", ".join(near + rest)}'
    )


def embedded(arch: 'str | None', weights: str) -> Path | None:
    """File of weights that the package holds ('toy', 'toy-dense'); None for any other name.

    Raises:
        ValueError: not of that architecture, or no architecture; lists what there is.
        FileNotFoundError: this installation lacks the file.
    """
    if weights not in {name for _, name in EMBEDDED}:
        return None
    base = None if arch is None else base_name(arch)
    if (base, weights) not in EMBEDDED:
        legal = ', '.join(f'{name!r} of {arch!r}' for arch, name in EMBEDDED)
        raise ValueError(
            f'no embedded weights {weights!r} of architecture {base!r}; the package holds {legal}'
        )
    path = EMBEDDED_FOLDER / EMBEDDED[base, weights]
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}, which holds the weights {weights!r} of {base!r}, is not in this '
            'installation; install mmseg_zsclip again from a wheel or a whole checkout'
        )
    return path


@dataclass(frozen=True)
class Published:
    """What open_clip's table says of one published (architecture, tag).

    `url` / `hf_hub` say where it is ('' when not there); `mean`, `std` are of [0, 1] RGB: most tags
    use CLIP's, but e.g. ViT-L-14 laion2b_s32b_b82k was trained with 0.5 / 0.5.
    """

    arch: str
    tag: str
    url: str
    hf_hub: str
    activation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def published_tags(name: str) -> list[str]:
    """Tags of published weights of an architecture ('openai', 'laion2b_s34b_b88k', ...)."""
    open_clip = import_open_clip()
    return open_clip.list_pretrained_tags_by_model(base_name(name))


def published(name: str, tag: str) -> Published:
    """Facts of published weights, from open_clip's own table.

    Raises:
        ValueError: no such tag for that architecture; lists the ones it has.
    """
    open_clip = import_open_clip()
    base = base_name(name)
    if not open_clip.get_pretrained_cfg('ViT-B-32', 'openai').get('quick_gelu'):
        raise RuntimeError(
            f'open_clip {open_clip.__version__} does not record the activation of its weights; '
            "2.29 or newer is needed: pip install -U 'open_clip_torch>=2.29'"
        )
    config = open_clip.get_pretrained_cfg(base, tag)
    if not config:
        tags = [name for arch, name in EMBEDDED if arch == base] + published_tags(base)
        legal = ', '.join(tags) if tags else 'none is published, give a file or train your own'
        raise ValueError(f'no published weights {tag!r} for {base!r}; its tags: {legal}')
    return Published(
        arch=base,
        tag=tag,
        url=config.get('url', ''),
        hf_hub=config.get('hf_hub', ''),
        activation='quick_gelu' if config.get('quick_gelu') else 'gelu',
        mean=tuple(config.get('mean') or CLIP_MEAN),
        std=tuple(config.get('std') or CLIP_STD),
    )


def resolve_arch(arch: 'str | CLIPArch', weights: str | None) -> CLIPArch:
    """Architecture with the activation that a published tag records; nothing is read or fetched.

    For a path or a hub id (no tag has a slash) the architecture's own activation stands, and
    loading compares it.
    """
    arch = get_arch(arch)
    if (
        weights is None
        or '/' in weights
        or not import_open_clip().get_pretrained_cfg(base_name(arch.name), weights)
    ):
        return arch
    return replace(arch, activation=published(arch.name, weights).activation)
