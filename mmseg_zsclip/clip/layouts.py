"""File layouts in which CLIP weights are found, each turned into OpenAI's names by a pure function.

OpenAI's names: `visual.*`, the text tower without a prefix (`transformer.*`,
`token_embedding.weight`, `positional_embedding`, `ln_final.*`, `text_projection`), `logit_scale`.
"""
import json
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from .archs import CLIP_MEAN, CLIP_STD, CLIPArch, arch_from_config

# not weights: sizes and constants that some exporters keep among the tensors
_CONSTANTS = ('input_resolution', 'context_length', 'vocab_size', 'attn_mask')
OPEN_CLIP_CONFIG = 'open_clip_config.json'
OPEN_CLIP_FILES = ('open_clip_model.safetensors', 'open_clip_pytorch_model.bin')
TRANSFORMERS_CONFIG = 'config.json'
TRANSFORMERS_FILES = ('model.safetensors', 'pytorch_model.bin')
TOKENS = 'token_embedding.weight'
# entry of our own files: the ids of the rows of TOKENS that are stored
TOKEN_ROWS = 'token_rows'


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


_HF_TOWER = (
    (r'^embeddings\.class_embedding$', 'class_embedding'),
    (r'^embeddings\.patch_embedding\.', 'conv1.'),
    (r'^embeddings\.position_embedding\.weight$', 'positional_embedding'),
    (r'^embeddings\.token_embedding\.', 'token_embedding.'),
    (r'^pre_layrnorm\.', 'ln_pre.'),
    (r'^post_layernorm\.', 'ln_post.'),
    (r'^final_layer_norm\.', 'ln_final.'),
    (r'^encoder\.layers\.', 'transformer.resblocks.'),
    (r'\.layer_norm1\.', '.ln_1.'),
    (r'\.layer_norm2\.', '.ln_2.'),
    (r'\.mlp\.fc1\.', '.mlp.c_fc.'),
    (r'\.mlp\.fc2\.', '.mlp.c_proj.'),
    (r'\.self_attn\.out_proj\.', '.attn.out_proj.'),
)


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Hugging Face CLIPModel's names; joins q, k, v and transposes the two projections.

    Raises:
        ValueError: a layer has some of q, k, v but not all three.
    """
    out: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        if key.endswith('.position_ids'):
            continue
        if key == 'visual_projection.weight':
            out['visual.proj'] = value.T
            continue
        if key == 'text_projection.weight':
            out['text_projection'] = value.T
            continue
        prefix, name = '', key
        for tower, ours in (('vision_model.', 'visual.'), ('text_model.', '')):
            if key.startswith(tower):
                prefix, name = ours, key.removeprefix(tower)
        for pattern, replacement in _HF_TOWER:
            name = re.sub(pattern, replacement, name)
        qkv = re.match(r'(.*)\.self_attn\.([qkv])_proj\.(weight|bias)$', name)
        if qkv:
            target = f'{prefix}{qkv[1]}.attn.in_proj_{qkv[3]}'
            parts.setdefault(target, {})[qkv[2]] = value
        else:
            out[prefix + name] = value
    for target, found in parts.items():
        if set(found) != set('qkv'):
            raise ValueError(f'{target}: the file has only {"/".join(sorted(found))} of q/k/v; '
                             'it is incomplete, fetch it again')
        out[target] = torch.cat([found['q'], found['k'], found['v']])
    return out


# what transformers assumes of a config that leaves it out
_HF_VISION = dict(
    hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
    image_size=224, patch_size=32, hidden_act='quick_gelu', layer_norm_eps=1e-5)
_HF_TEXT = dict(
    hidden_size=512, num_hidden_layers=12, num_attention_heads=8, vocab_size=49408,
    max_position_embeddings=77, hidden_act='quick_gelu', layer_norm_eps=1e-5)


def transformers_arch(config: dict, name: str) -> CLIPArch:
    """Sizes and activation from transformers' CLIPConfig (the dict of config.json).

    Raises:
        ValueError: another model type, or towers that differ in activation or epsilon.
    """
    if config.get('model_type') != 'clip':
        raise ValueError(f'{name}: config.json says model_type={config.get("model_type")!r}; '
                         "only 'clip' (CLIPModel) can be loaded")
    vision = _HF_VISION | (config.get('vision_config') or {})
    text = _HF_TEXT | (config.get('text_config') or {})
    width, hidden = vision['hidden_size'], vision['intermediate_size']
    ratio = hidden / width
    if int(width * ratio) != hidden:  # floats round down
        ratio = (hidden + 0.5) / width
    for key in ('hidden_act', 'layer_norm_eps'):
        if vision[key] != text[key]:
            raise ValueError(f'{name}: {key} is {vision[key]!r} in the image tower but '
                             f'{text[key]!r} in the text tower; they must agree')
    return CLIPArch(
        name=name,
        embed_dim=config.get('projection_dim', 512),
        image_size=vision['image_size'],
        vision_layers=vision['num_hidden_layers'],
        vision_width=width,
        patch_size=vision['patch_size'],
        vision_heads=vision['num_attention_heads'],
        text_width=text['hidden_size'],
        text_heads=text['num_attention_heads'],
        text_layers=text['num_hidden_layers'],
        context_length=text['max_position_embeddings'],
        vocab_size=text['vocab_size'],
        activation=vision['hidden_act'],
        norm_eps=vision['layer_norm_eps'],
        vision_mlp_ratio=ratio)


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any('/code/' in name for name in archive.namelist())


def _torchscript_state(path: Path) -> dict[str, Tensor]:
    # TorchScript runs a module's __setstate__ while loading; OpenAI's archives have none
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if '/code/' in name and name.endswith('.py') and b'__setstate__' in archive.read(name):
                raise ValueError(f'{path}: the TorchScript archive would run code when loaded '
                                 f'({name} defines __setstate__); refused. Use a state dict.')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return dict(torch.jit.load(str(path), map_location='cpu').state_dict())


def _torch_load(path: Path):
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises pickle's, zip's and its own errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f'{path} ({path.stat().st_size} bytes) cannot be read as weights: {reason} '
            'Either it is damaged or incomplete (fetch it again), or it holds Python objects, '
            'which are refused (weights_only=True) because loading them would run their code: '
            'save its state dict alone, as .safetensors or with torch.save.') from error


def _safetensors_state(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file
    try:
        return load_file(path)
    except Exception as error:
        raise ValueError(f'{path} ({path.stat().st_size} bytes) cannot be read as safetensors: '
                         f'{error}. Fetch it again.') from error


def _load_file(path: Path):
    return _safetensors_state(path) if path.suffix == '.safetensors' else _torch_load(path)


def _state_of(path: Path, content) -> Mapping[str, Tensor]:
    content = content if isinstance(content, Mapping) else {type(content).__name__: None}
    state = content.get('state_dict', content)
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f'{path} holds no state dict but {_some(content)}; save the state dict')
    return state


def read_state(path: Path) -> Mapping[str, Tensor]:
    """State dict of any model, as the file has it: alone, or in a training checkpoint.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no state dict, damaged file, or one that only loads by running its code.
    """
    if not path.is_file():
        raise FileNotFoundError(f'no such file: {path} (current directory {Path.cwd()})')
    return _state_of(path, _load_file(path))


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
        '(vision_model.*), our own (save_clip)')


def expand_rows(table: Tensor, rows: Tensor, size: int) -> Tensor:
    """Table (size, D) with row `rows[i]` = `table[i]` and zeros elsewhere.

    Args:
        table: (K, D), what a compact file stores.
        rows: (K,) integers, ascending.

    Raises:
        ValueError: `rows` are not ascending integers in [0, size), or not as many as `table`'s.
    """
    if rows.ndim != 1 or rows.dtype not in (torch.int32, torch.int64):
        raise ValueError(f'row ids are {rows.dtype} of shape {tuple(rows.shape)}; expected (K,) '
                         'int32 or int64')
    if len(rows) != len(table):
        raise ValueError(f'{len(rows)} row ids for {len(table)} stored rows; expected as many')
    if (rows.diff() <= 0).any():
        raise ValueError('row ids are not in ascending order without repeats')
    if len(rows) and (rows[0] < 0 or rows[-1] >= size):
        raise ValueError(f'row ids run from {rows[0]} to {rows[-1]}; legal: 0 to {size - 1}')
    out = table.new_zeros(size, *table.shape[1:])
    out[rows.long()] = table
    return out


def _from_ours(path: Path, content: Mapping, state: Mapping[str, Tensor]) -> RawWeights:
    sizes = content['arch']
    known = {field.name for field in fields(CLIPArch)}
    if set(sizes) != known:
        differ = ', '.join(sorted(known ^ set(sizes)))
        raise ValueError(f'{path}: it was written by another version of mmseg_zsclip: its recorded '
                         f'sizes differ from what this version knows ({differ})')
    arch, state = CLIPArch(**sizes), from_openai(state)
    if TOKEN_ROWS in content and TOKENS in state:
        try:
            state[TOKENS] = expand_rows(state[TOKENS], content[TOKEN_ROWS], arch.vocab_size)
        except ValueError as error:
            raise ValueError(f'{path}: the token embeddings are damaged: {error}. Fetch the file '
                             'again, or write it again with save_clip.') from error
    return RawWeights(state, 'mmseg_zsclip', arch.activation, arch)


def _some(mapping: Mapping, limit: int = 6) -> str:
    keys = [str(key) for key in mapping]
    rest = f', ... ({len(keys)} in all)' if len(keys) > limit else ''
    return ', '.join(keys[:limit]) + rest if keys else 'none'


def _read_file(path: Path) -> RawWeights:
    if _is_torchscript(path):
        return RawWeights(from_openai(_torchscript_state(path)), 'OpenAI TorchScript', 'quick_gelu')
    return _from_mapping(path, _load_file(path))


def _folder_state(folder: Path, names: tuple[str, ...]) -> Mapping[str, Tensor]:
    for name in names:
        if (folder / name).is_file():
            return _load_file(folder / name)
        index = folder / f'{name}.index.json'
        if index.is_file():
            state: dict[str, Tensor] = {}
            for shard in sorted(set(json.loads(index.read_text())['weight_map'].values())):
                state.update(_load_file(folder / shard))
            return state
    raise FileNotFoundError(f'{folder} has none of {", ".join(names)}')


def _read_folder(folder: Path) -> RawWeights:
    if (folder / OPEN_CLIP_CONFIG).is_file():
        config = json.loads((folder / OPEN_CLIP_CONFIG).read_text())
        arch = arch_from_config(folder.name, config['model_cfg'])
        image = config.get('preprocess_cfg', {})
        raw = _from_mapping(folder, _folder_state(folder, OPEN_CLIP_FILES))
        return RawWeights(raw.state, 'open_clip folder', arch.activation, arch,
                          tuple(image.get('mean', CLIP_MEAN)), tuple(image.get('std', CLIP_STD)))
    if (folder / TRANSFORMERS_CONFIG).is_file():
        arch = transformers_arch(
            json.loads((folder / TRANSFORMERS_CONFIG).read_text()), folder.name)
        state = from_transformers(_folder_state(folder, TRANSFORMERS_FILES))
        return RawWeights(state, 'transformers folder', arch.activation, arch)
    raise ValueError(f'{folder} has neither {OPEN_CLIP_CONFIG} nor {TRANSFORMERS_CONFIG}; give the '
                     'folder of an open_clip model or of a transformers CLIPModel, or a file')


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
