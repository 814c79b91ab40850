"""Checkpoints of the authors' releases, renamed to ours: one pure function per method."""
import re

import torch
from torch import Tensor

_ZEGCLIP = [  # pattern of a released key, ours; '' = no output depends on it, see models/zegclip.py
    (r'backbone\.(prompt_proj|prompt_norm)\.(.+)', r'backbone.\1.\2'),
    (r'backbone\.(conv1|class_embedding|positional_embedding|ln_pre|transformer|ln_post|proj)\b(.*)',
     r'backbone.visual.\1\2'),
    (r'decode_head\.q_proj\.(.+)', r'decode_head.query_proj.\1'),
    (r'decode_head\.decoder_1\.layers\.LAST\.multihead_attn\.([qk]\..+)',
     r'decode_head.mask_attn.\1'),
    (r'decode_head\.decoder_1\.layers\.LAST\..+', ''),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.multihead_attn\.(.+)',
     r'decode_head.layers.\1.attn.\2'),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.norm2\.(.+)', r'decode_head.layers.\1.norm1.\2'),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.norm3\.(.+)', r'decode_head.layers.\1.norm2.\2'),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.linear1\.(.+)', r'decode_head.layers.\1.ffn.0.\2'),
    (r'decode_head\.decoder_1\.layers\.(\d+)\.linear2\.(.+)', r'decode_head.layers.\1.ffn.3.\2'),
    (r'decode_head\.decoder_1\.layers\.\d+\.(self_attn|norm1)\..+', ''),
    (r'decode_head\.loss_decode\..+', ''),
]


def zegclip(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """ZegCLIP's released `backbone.*` and `decode_head.*` tensors under our names.

    Raises:
        ValueError: keys that the rules do not know; lists them.
    """
    released = dict(released)
    layers = {int(m[1]) for key in released
              if (m := re.match(r'decode_head\.decoder_1\.layers\.(\d+)\.', key))}
    if not layers:
        raise ValueError("no 'decode_head.decoder_1.layers.*' key: this is no ZegCLIP checkpoint. "
                         f'It has {len(released)} keys, e.g. {sorted(released)[:3]}.')
    ours = {}
    if 'backbone.prompt_embeddings' in released:
        ours['backbone.prompts'] = torch.cat([
            released.pop('backbone.prompt_embeddings'),
            released.pop('backbone.deep_prompt_embeddings')])
    unknown = []
    for key, value in released.items():
        for pattern, name in _ZEGCLIP:
            match = re.fullmatch(pattern.replace('LAST', str(max(layers))), key)
            if match:
                if name:
                    ours[match.expand(name)] = value
                break
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(f'{len(unknown)} keys of the checkpoint are not ZegCLIP\'s: '
                         f'{", ".join(sorted(unknown))}.')
    return ours
