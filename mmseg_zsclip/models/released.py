"""Checkpoints of the authors' releases, renamed to ours: one pure function per method."""

import re

import torch
from torch import Tensor

_ZEGCLIP_PROMPTS = ('backbone.prompt_embeddings', 'backbone.deep_prompt_embeddings')
_ZEGCLIP = [  # pattern of a released key, ours; '' = no output depends on it, see models/zegclip.py
    (r'backbone\.(prompt_proj|prompt_norm)\.(.+)', r'backbone.\1.\2'),
    (
        r'backbone\.(conv1|class_embedding|positional_embedding|ln_pre|transformer|ln_post|proj)\b(.*)',
        r'backbone.visual.\1\2',
    ),
    (r'decode_head\.q_proj\.(.+)', r'decode_head.query_proj.\1'),
    (
        r'decode_head\.decoder_1\.layers\.LAST\.multihead_attn\.([qk]\..+)',
        r'decode_head.mask_attn.\1',
    ),
    (r'decode_head\.decoder_1\.layers\.LAST\..+', ''),
    (
        r'decode_head\.decoder_1\.layers\.(\d+)\.multihead_attn\.(.+)',
        r'decode_head.layers.\1.attn.\2',
    ),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.norm2\.(.+)', r'decode_head.layers.\1.norm1.\2'),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.norm3\.(.+)', r'decode_head.layers.\1.norm2.\2'),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.linear1\.(.+)', r'decode_head.layers.\1.ffn.0.\2'),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.linear2\.(.+)', r'decode_head.layers.\1.ffn.3.\2'),
    (r'decode_head\.decoder_1\.layers\.\d+\.(self_attn|norm1)\..+', ''),
    (r'decode_head\.loss_decode\..+', ''),
]
_MASKCLIP = [  # mmseg 0.x VisionTransformer with pre_norm
    (r'cls_token', 'visual.class_embedding'),
    (r'pos_embed', 'visual.positional_embedding'),
    (r'patch_embed\.projection\.weight', 'visual.conv1.weight'),
    (r'ln0\.(.+)', r'visual.ln_pre.\1'),
    (r'ln1\.(.+)', r'visual.ln_post.\1'),
    (r'layers\.(\d+)\.ln([12])\.(.+)', r'visual.transformer.resblocks.\1.ln_\2.\3'),
    (r'layers\.(\d+)\.attn\.attn\.(.+)', r'visual.transformer.resblocks.\1.attn.\2'),
    (r'layers\.(\d+)\.ffn\.layers\.0\.0\.(.+)', r'visual.transformer.resblocks.\1.mlp.c_fc.\2'),
    (r'layers\.(\d+)\.ffn\.layers\.1\.(.+)', r'visual.transformer.resblocks.\1.mlp.c_proj.\2'),
]


def zegclip(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """ZegCLIP's released `backbone.*` and `decode_head.*` tensors under our names.

    Raises:
        ValueError: keys that the rules do not know; lists them.
    """
    released = dict(released)
    layers = {
        int(m[1])
        for key in released
        if (m := re.match(r'decode_head\.decoder_1\.layers\.(\d+)\.', key))
    }
    if not layers:
        raise ValueError(
            "no 'decode_head.decoder_1.layers.*' key: this is no ZegCLIP checkpoint. "
            f'It has {len(released)} keys, e.g. {sorted(released)[:3]}.'
        )
    ours = {}
    prompts = [released.pop(key) for key in _ZEGCLIP_PROMPTS if key in released]
    if prompts:
        ours['backbone.prompts'] = torch.cat(prompts)
    rules = [(pattern.replace('LAST', str(max(layers))), name) for pattern, name in _ZEGCLIP]
    return ours | _rename(released, rules, "ZegCLIP's")


def maskclip(released: dict[str, Tensor], proj: Tensor) -> dict[str, Tensor]:
    """MaskCLIP's released ViT tower (mmseg 0.x names, with or without `backbone.`) and the
    projection (d, D) or (d, D, 1, 1) of its head, under the names of `MaskCLIPViT`.

    Raises:
        ValueError: keys that the rules do not know; lists them.
    """
    ours = _rename(
        {key.removeprefix('backbone.'): value for key, value in released.items()},
        _MASKCLIP,
        "a MaskCLIP ViT's",
    )
    ours['visual.class_embedding'] = ours['visual.class_embedding'].flatten()
    ours['visual.positional_embedding'] = ours['visual.positional_embedding'].flatten(0, 1)
    return ours | {'visual.proj': proj.flatten(1).T.contiguous()}


def _rename(
    released: dict[str, Tensor], rules: list[tuple[str, str]], whose: str
) -> dict[str, Tensor]:
    """Tensors under the names of the first rule that matches; an empty name drops the tensor."""
    ours, unknown = {}, []
    for key, value in released.items():
        for pattern, name in rules:
            match = re.fullmatch(pattern, key)
            if match:
                if name:
                    ours[match.expand(name)] = value
                break
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(
            f'{len(unknown)} keys of the checkpoint are not {whose}: {", ".join(sorted(unknown))}.'
        )
    return ours
