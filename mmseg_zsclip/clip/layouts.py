"""File layouts in which CLIP weights are found, each turned into OpenAI's names by a pure function.

OpenAI's names: `visual.*`, the text tower without a prefix (`transformer.*`,
`token_embedding.weight`, `positional_embedding`, `ln_final.*`, `text_projection`), `logit_scale`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from .archs import CLIP_MEAN, CLIP_STD, CLIPArch, arch_from_config
from .tensor_files import ScriptState, inside, read_content, read_json
from .transformers_layout import from_transformers, transformers_arch

# not weights: sizes and constants that some exporters keep among the tensors
_CONSTANTS = ('input_resolution', 'context_length', 'vocab_size', 'attn_mask')
OPEN_CLIP_CONFIG = 'open_clip_config.json'
OPEN_CLIP_FILES = ('open_clip_model.safetensors', 'open_clip_pytorch_model.bin')
TRANSFORMERS_CONFIG = 'config.json'
# says how images are normalised; older exports lack it
TRANSFORMERS_IMAGES = 'preprocessor_config.json'
TRANSFORMERS_FILES = ('model.safetensors', 'pytorch_model.bin')
TOKENS = 'token_embedding.weight'
# entry of our own files: the ids of the rows of TOKENS that are stored
TOKEN_ROWS = 'token_rows'
# sizes that a file may record: the largest CLIPs have 49,408 tokens of 1280 channels
_LARGEST, _LARGEST_TABLE = 1 << 20, 1 << 27


@dataclass(frozen=True)
class RawWeights:
    """Tensors under OpenAI's names, in the file's dtype, and what the file says of itself.

    `arch` is None when the file does not record its sizes, `activation` is None when it does not
    record that.
    """

    state: dict[str, Tensor]
    layout: str
    activation: str | None = None
    arch: CLIPArch | None = None
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD


def from_openai(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's and open_clip's names: drops wrappers' prefixes and what is not a weight."""
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    # open_clip's CustomTextCLIP and our own modules keep the text tower under `text.`
    state = {key.removeprefix('text.'): value for key, value in state.items()}
    return {key: value for key, value in state.items() if key not in _CONSTANTS}


def _state_of(path: Path, content) -> Mapping[str, Tensor]:
    if isinstance(content, ScriptState):
        return content.state
    content = content if isinstance(content, Mapping) else {type(content).__name__: None}
    state = content.get('state_dict', content)
    if isinstance(content.get('model'), Mapping):  # of detectron2
        state = content['model']
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f'{path} holds no state dict but {_some(content)}; save the state dict')
    return state


def read_state(path: Path) -> Mapping[str, Tensor]:
    """State dict of any model, as the file has it: alone, or in a training checkpoint.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no state dict, damaged file, or one that only loads by running its code.
    """
    return _state_of(path, read_content(path))


def _from_mapping(path: Path, content) -> RawWeights:
    state = _state_of(path, content)
    if isinstance(content.get('arch'), Mapping):
        return _from_ours(path, content, state)
    keys = {key.removeprefix('module.') for key in state}
    if any(key.startswith('vision_model.') for key in keys):
        return RawWeights(from_transformers(state), 'transformers')
    if any(key.startswith('visual.') for key in keys):
        # only OpenAI's own export keeps these sizes among its tensors
        openai = {'input_resolution', 'context_length', 'vocab_size'} <= keys
        return RawWeights(from_openai(state), 'state dict', 'quick_gelu' if openai else None)
    raise ValueError(
        f'{path}: no layout that is known; its keys are {_some(state)}. Known: OpenAI TorchScript '
        'archive, OpenAI or open_clip state dict (visual.*), transformers CLIPModel '
        '(vision_model.*), our own (save_clip)'
    )


def expand_rows(table: Tensor, rows: Tensor, size: int) -> Tensor:
    """Table (size, D) with row `rows[i]` = `table[i]` and zeros elsewhere.

    Args:
        table: (K, D), what a compact file stores.
        rows: (K,) integers, ascending.

    Raises:
        ValueError: `rows` are not ascending integers in [0, size), or not as many as `table`'s.
    """
    if rows.ndim != 1 or rows.dtype not in (torch.int32, torch.int64):
        raise ValueError(
            f'row ids are {rows.dtype} of shape {tuple(rows.shape)}; expected (K,) int32 or int64'
        )
    if len(rows) != len(table):
        raise ValueError(f'{len(rows)} row ids for {len(table)} stored rows; expected as many')
    if (rows.diff() <= 0).any():
        raise ValueError('row ids are not in ascending order without repeats')
    if len(rows) and (rows[0] < 0 or rows[-1] >= size):
        raise ValueError(f'row ids run from {rows[0]} to {rows[-1]}; legal: 0 to {size - 1}')
    out = table.new_zeros(size, *table.shape[1:])
    out[rows.long()] = table
    return out


def _sensible(arch: CLIPArch, state: Mapping[str, Tensor], source: Path) -> CLIPArch:
    """`arch`, whose sizes came with the file, before anything is built of them.

    Raises:
        ValueError: sizes that are no numbers, that are too large, or with more layers than tensors.
    """
    sizes = {field.name: getattr(arch, field.name) for field in fields(CLIPArch)}
    for name, value in sizes.items():
        for number in value if isinstance(value, tuple) else (value,):
            if name in ('name', 'activation') or (name == 'patch_size' and number is None):
                continue
            exact = name not in ('norm_eps', 'vision_mlp_ratio')
            if (
                isinstance(number, bool)
                or not isinstance(number, int if exact else (int, float))
                or not 0 < number <= _LARGEST
            ):
                raise ValueError(
                    f'{source}: it records {name}={value!r}; expected '
                    f'{"whole " if exact else ""}numbers above 0, up to {_LARGEST}'
                )
    layers = arch.text_layers + (sum(arch.vision_layers) if arch.is_resnet else arch.vision_layers)
    if layers > len(state):
        raise ValueError(
            f'{source}: it records {layers} layers but holds {len(state)} tensors; '
            'it is incomplete or damaged, fetch it again'
        )
    return arch


def _from_ours(path: Path, content: Mapping, state: Mapping[str, Tensor]) -> RawWeights:
    sizes = content['arch']
    known = {field.name for field in fields(CLIPArch)}
    if set(sizes) != known:
        differ = ', '.join(sorted(known ^ set(sizes)))
        raise ValueError(
            f'{path}: it was written by another version of mmseg_zsclip: its recorded '
            f'sizes differ from what this version knows ({differ})'
        )
    arch, state = _sensible(CLIPArch(**sizes), state, path), from_openai(state)
    if TOKEN_ROWS in content and TOKENS in state:
        try:
            if (
                state[TOKENS].ndim != 2
                or state[TOKENS].shape[1] != arch.text_width
                or (arch.vocab_size * arch.text_width > _LARGEST_TABLE)
            ):
                raise ValueError(
                    f'{tuple(state[TOKENS].shape)} rows for a table of '
                    f'{arch.vocab_size} x {arch.text_width}'
                )
            state[TOKENS] = expand_rows(state[TOKENS], content[TOKEN_ROWS], arch.vocab_size)
        except ValueError as error:
            raise ValueError(
                f'{path}: the token embeddings are damaged: {error}. Fetch the file '
                'again, or write it again with save_clip.'
            ) from error
    return RawWeights(state, 'mmseg_zsclip', arch.activation, arch)


def _some(mapping: Mapping, limit: int = 6) -> str:
    keys = [str(key) for key in mapping]
    rest = f', ... ({len(keys)} in all)' if len(keys) > limit else ''
    return ', '.join(keys[:limit]) + rest if keys else 'none'


def _read_file(path: Path) -> RawWeights:
    content = read_content(path)
    if isinstance(content, ScriptState):
        return RawWeights(from_openai(content.state), 'OpenAI TorchScript', 'quick_gelu')
    return _from_mapping(path, content)


def _folder_state(folder: Path, names: tuple[str, ...]) -> Mapping[str, Tensor]:
    for name in names:
        if (folder / name).is_file():
            path = inside(folder, name)
            return _state_of(path, read_content(path))
        index = folder / f'{name}.index.json'
        if index.is_file():
            return _shards(folder, inside(folder, index.name))
    raise FileNotFoundError(f'{folder} has none of {", ".join(names)}')


def _shards(folder: Path, index: Path) -> dict[str, Tensor]:
    parts = read_json(index).get('weight_map')
    if not isinstance(parts, dict) or not all(isinstance(name, str) for name in parts.values()):
        raise ValueError(f'{index} has no weight_map of tensor names to file names; fetch it again')
    state: dict[str, Tensor] = {}
    for shard in sorted(set(parts.values())):
        path = inside(folder, shard)
        state.update(_state_of(path, read_content(path)))
    return state


def _statistics(config: Mapping, mean: str, std: str, where: Path) -> tuple[tuple, tuple]:
    """Mean and std of the weights' own preprocessing; CLIP's where it leaves them out."""
    found = []
    for key, default in ((mean, CLIP_MEAN), (std, CLIP_STD)):
        values = config.get(key, default)
        if (
            not isinstance(values, list | tuple)
            or len(values) != 3
            or not all(isinstance(value, int | float) and math.isfinite(value) for value in values)
        ):
            raise ValueError(f'{where}: {key} is {values!r}; expected three numbers')
        found.append(tuple(map(float, values)))
    if min(found[1]) <= 0:
        raise ValueError(f'{where}: {std} is {found[1]}; expected three numbers above 0')
    return found[0], found[1]


def _recorded(read: Callable[[], CLIPArch], state: Mapping[str, Tensor], where: Path) -> CLIPArch:
    try:
        arch = read()
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(
            f'{where} records no sizes that can be used '
            f'({type(error).__name__}: {error}); fetch it again'
        ) from error
    return _sensible(arch, state, where)


def _read_folder(folder: Path) -> RawWeights:
    if (folder / OPEN_CLIP_CONFIG).is_file():
        where = inside(folder, OPEN_CLIP_CONFIG)
        config = read_json(where)
        sizes, image = config.get('model_cfg'), config.get('preprocess_cfg', {})
        if not isinstance(sizes, dict) or not isinstance(image, dict):
            raise ValueError(f'{where} has no model_cfg; fetch it again')
        raw = _from_mapping(folder, _folder_state(folder, OPEN_CLIP_FILES))
        arch = _recorded(lambda: arch_from_config(folder.name, sizes), raw.state, where)
        return RawWeights(
            raw.state,
            'open_clip folder',
            arch.activation,
            arch,
            *_statistics(image, 'mean', 'std', where),
        )
    if (folder / TRANSFORMERS_CONFIG).is_file():
        where = inside(folder, TRANSFORMERS_CONFIG)
        state = from_transformers(_folder_state(folder, TRANSFORMERS_FILES))
        arch = _recorded(lambda: transformers_arch(read_json(where), folder.name), state, where)
        image = {}
        if (folder / TRANSFORMERS_IMAGES).is_file():
            image = read_json(inside(folder, TRANSFORMERS_IMAGES))
        return RawWeights(
            state,
            'transformers folder',
            arch.activation,
            arch,
            *_statistics(image, 'image_mean', 'image_std', folder / TRANSFORMERS_IMAGES),
        )
    raise ValueError(
        f'{folder} has neither {OPEN_CLIP_CONFIG} nor {TRANSFORMERS_CONFIG}; give the '
        'folder of an open_clip model or of a transformers CLIPModel, or a file'
    )


def read_raw(path: Path) -> RawWeights:
    """Weights of a file or folder, its layout detected from the content.

    Raises:
        FileNotFoundError: no such file, or a folder without weights.
        ValueError: unknown layout, damaged file, or one that only loads by running its code.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise FileNotFoundError(f'no such weights: {path}')
    return _read_file(path)
