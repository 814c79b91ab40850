"""What weights are held against before anything is built of them: the architecture's names and
shapes, finite numbers, and the activation that they were trained with."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

import torch
from torch import Tensor

from .archs import ARCHS, CLIPArch, stated_activation
from .layouts import RawWeights
from .model import CLIP
from .vit import ACTIVATIONS

LISTED = 20


# never read in eval mode, and some exporters leave it out
OPTIONAL = 'num_batches_tracked'


def _listed(lines: Iterable[str]) -> str:
    lines = list(lines)
    rest = [f'... and {len(lines) - LISTED} more'] if len(lines) > LISTED else []
    return ''.join(f'\n    {line}' for line in lines[:LISTED] + rest)


def _shape(tensor: Tensor) -> str:
    return 'x'.join(map(str, tensor.shape)) or 'scalar'


def expected_state(arch: CLIPArch) -> dict[str, Tensor]:
    """Tensors of the architecture under OpenAI's names, without memory (on `meta`)."""
    with torch.device('meta'):
        model = CLIP(arch)
    return {key.removeprefix('text.'): value for key, value in model.state_dict().items()}


def _same_shapes(state: Mapping[str, Tensor], arch: CLIPArch) -> bool:
    conv, text = state.get('visual.conv1.weight'), state.get('text_projection')
    channels = arch.vision_width // 2 if arch.is_resnet else arch.vision_width
    if (
        conv is None
        or text is None
        or conv.shape[0] != channels
        or (text.shape != (arch.text_width, arch.embed_dim))
    ):
        return False  # building a large one takes a while
    expected = expected_state(arch)
    return all(
        key in state and state[key].shape == value.shape
        for key, value in expected.items()
        if value.ndim
    )


def _looks_like(state: Mapping[str, Tensor]) -> str:
    for arch in ARCHS.values():
        if _same_shapes(state, arch):
            return f' The file has the shapes of {arch.name!r}.'
    return ''


def check_state(state: Mapping[str, Tensor], arch: CLIPArch, source: str) -> None:
    """Compare names and shapes with what the architecture needs.

    Raises:
        ValueError: lists every kind of difference: missing, unexpected, other shapes.
    """
    expected = expected_state(arch)
    is_resnet = any(key.startswith('visual.layer1.') for key in state)
    if is_resnet != arch.is_resnet and 'visual.conv1.weight' in state:
        kinds = ('ViT', 'ModifiedResNet')
        key = 'visual.conv1.weight'
        raise ValueError(
            f'{source}: weights of another architecture. They are of a {kinds[is_resnet]} ({key} '
            f'is {_shape(state[key])}), {arch.name!r} is a {kinds[arch.is_resnet]} ({key} is '
            f'{_shape(expected[key])}).{_looks_like(state)}'
        )
    missing = [key for key in expected if key not in state and not key.endswith(OPTIONAL)]
    unexpected = [key for key in state if key not in expected]
    shapes = [
        f'{key}: {_shape(state[key])} in the file, {_shape(value)} in {arch.name}'
        for key, value in expected.items()
        if key in state and value.ndim and state[key].shape != value.shape
    ]
    problems = [
        f'\n  {len(found)} {title}:{_listed(found)}'
        for title, found in (
            ('of other shapes', shapes),
            ('missing', missing),
            ('unexpected', unexpected),
        )
        if found
    ]
    if problems:
        hint = _looks_like(state)
        raise ValueError(
            f'{source}: not the weights of {arch.name!r} '
            f'({len(expected)} tensors).{"".join(problems)}\n '
            f'{hint} Nothing was loaded.'
        )


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Raise ValueError, naming the tensor, where a value is NaN or infinite."""
    for key, value in state.items():
        # one number that is not finite makes the sum so; a sum may also overflow by itself
        if value.is_floating_point() and not value.double().sum().isfinite():
            bad = int((~value.isfinite()).sum())
            if bad:
                raise ValueError(
                    f'{source}: {bad} of {value.numel()} values of {key} are NaN or '
                    'infinite: every score would be. The file is damaged: fetch it '
                    'again.'
                )


def choose_activation(arch: CLIPArch, recorded: str | None, stated: str | None, source: str) -> str:
    """The activation of the weights: what they record, which must agree with what was stated.

    The suffixes '-quickgelu' and '-gelu' of a name are statements, and so is an arch with
    'quick_gelu'; 'gelu' in an arch is only the default and is none.

    Raises:
        ValueError: statement and record differ, or neither is there.
    """
    if stated is not None and stated not in ACTIVATIONS:
        raise ValueError(f'activation is {stated!r}; legal: {", ".join(ACTIVATIONS)}')
    stated = stated or stated_activation(arch.name)
    if stated is None and arch.activation != 'gelu':
        stated = arch.activation
    if recorded is None and stated is None:
        raise ValueError(
            f'{source}: the file does not record its activation, and a wrong one costs several '
            f"mIoU silently. State it in the name (or by activation=): '{arch.name}-quickgelu' for "
            f"weights of OpenAI, MetaCLIP and most of DFN, '{arch.name}-gelu' for most of LAION "
            'and DataComp.'
        )
    if recorded and stated and recorded != stated:
        raise ValueError(
            f'{source}: wrong activation: the weights were trained with {recorded!r}, {stated!r} '
            f'was asked for ({arch.name}). Ask for {recorded!r} or drop the statement.'
        )
    return recorded or stated


def _differences(found: CLIPArch, asked: CLIPArch) -> list[str]:
    pairs = {
        field.name: (getattr(found, field.name), getattr(asked, field.name))
        for field in fields(CLIPArch)
    }
    del pairs['name'], pairs['activation']
    # published ratios are rounded: the width is what counts
    pairs['vision_mlp_ratio'] = tuple(
        int(arch.vision_width * arch.vision_mlp_ratio) / arch.vision_width
        for arch in (found, asked)
    )
    return [
        f'{name}: {ours} in the file, {theirs} in {asked.name}'
        for name, (ours, theirs) in pairs.items()
        if ours != theirs
    ]


def choose_arch(asked: CLIPArch | None, raw: RawWeights, source: str) -> CLIPArch:
    """`asked`, or the architecture that the file records where it is None.

    Raises:
        ValueError: neither is there, or they differ.
    """
    if asked is None:
        if raw.arch is None:
            raise ValueError(f'{source}: a {raw.layout} does not record its architecture; name it')
        return raw.arch
    if raw.arch is not None:
        differ = _differences(raw.arch, asked)
        if differ:
            raise ValueError(
                f'{source}: weights of another architecture ({raw.arch.name!r}).{_listed(differ)}'
            )
    return asked
