"""Hugging Face's CLIPModel: its names turned into OpenAI's, and the sizes that its config gives."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from .archs import CLIPArch

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
            raise ValueError(
                f'{target}: the file has only {"/".join(sorted(found))} of q/k/v; '
                'it is incomplete, fetch it again'
            )
        out[target] = torch.cat([found['q'], found['k'], found['v']])
    return out


# what transformers assumes of a config that leaves it out
_HF_VISION = dict(
    hidden_size=768,
    intermediate_size=3072,
    num_hidden_layers=12,
    num_attention_heads=12,
    image_size=224,
    patch_size=32,
    hidden_act='quick_gelu',
    layer_norm_eps=1e-5,
)


_HF_TEXT = dict(
    hidden_size=512,
    num_hidden_layers=12,
    num_attention_heads=8,
    vocab_size=49408,
    max_position_embeddings=77,
    hidden_act='quick_gelu',
    layer_norm_eps=1e-5,
)


def transformers_arch(config: dict, name: str) -> CLIPArch:
    """Sizes and activation from transformers' CLIPConfig (the dict of config.json).

    Raises:
        ValueError: another model type, or towers that differ in activation or epsilon.
    """
    if config.get('model_type') != 'clip':
        raise ValueError(
            f'{name}: config.json says model_type={config.get("model_type")!r}; '
            "only 'clip' (CLIPModel) can be loaded"
        )
    vision = _HF_VISION | (config.get('vision_config') or {})
    text = _HF_TEXT | (config.get('text_config') or {})
    width, hidden = vision['hidden_size'], vision['intermediate_size']
    ratio = hidden / width
    if int(width * ratio) != hidden:  # floats round down
        ratio = (hidden + 0.5) / width
    for key in ('hidden_act', 'layer_norm_eps'):
        if vision[key] != text[key]:
            raise ValueError(
                f'{name}: {key} is {vision[key]!r} in the image tower but '
                f'{text[key]!r} in the text tower; they must agree'
            )
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
        vision_mlp_ratio=ratio,
    )
