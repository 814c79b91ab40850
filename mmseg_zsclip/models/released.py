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

_PIXELS, _ENCODER = r'pixel_decoder\.', r'pixel_decoder\.transformer\.encoder\.layers\.(\d+)\.'
_MASK2FORMER = [  # detectron2's, behind `sem_seg_head.`; mmdet's Mask2FormerHead
    (_PIXELS + r'input_proj\.(\d+)\.0\.(.+)', r'pixel_decoder.input_convs.\1.conv.\2'),
    (_PIXELS + r'input_proj\.(\d+)\.1\.(.+)', r'pixel_decoder.input_convs.\1.gn.\2'),
    (_PIXELS + r'transformer\.level_embed', 'pixel_decoder.level_encoding.weight'),
    (_ENCODER + r'self_attn\.(.+)', r'pixel_decoder.encoder.layers.\1.self_attn.\2'),
    (_ENCODER + r'norm1\.(.+)', r'pixel_decoder.encoder.layers.\1.norms.0.\2'),
    (_ENCODER + r'norm2\.(.+)', r'pixel_decoder.encoder.layers.\1.norms.1.\2'),
    (_ENCODER + r'linear1\.(.+)', r'pixel_decoder.encoder.layers.\1.ffn.layers.0.0.\2'),
    (_ENCODER + r'linear2\.(.+)', r'pixel_decoder.encoder.layers.\1.ffn.layers.1.\2'),
    (_PIXELS + r'adapter_1\.norm\.(.+)', r'pixel_decoder.lateral_convs.0.gn.\1'),
    (_PIXELS + r'adapter_1\.(.+)', r'pixel_decoder.lateral_convs.0.conv.\1'),
    (_PIXELS + r'layer_1\.norm\.(.+)', r'pixel_decoder.output_convs.0.gn.\1'),
    (_PIXELS + r'layer_1\.(.+)', r'pixel_decoder.output_convs.0.conv.\1'),
    (_PIXELS + r'mask_features\.(.+)', r'pixel_decoder.mask_feature.\1'),
    *(
        (
            rf'predictor\.transformer_{layers}_layers\.(\d+)\.{theirs}\.(.+)',
            rf'transformer_decoder.layers.\1.{ours}.\2',
        )
        for layers, theirs, ours in (
            ('cross_attention', 'multihead_attn', 'cross_attn.attn'),
            ('cross_attention', 'norm', 'norms.0'),
            ('self_attention', 'self_attn', 'self_attn.attn'),
            ('self_attention', 'norm', 'norms.1'),
            ('ffn', 'linear1', 'ffn.layers.0.0'),
            ('ffn', 'linear2', 'ffn.layers.1'),
            ('ffn', 'norm', 'norms.2'),
        )
    ),
    (r'predictor\.decoder_norm\.(.+)', r'transformer_decoder.post_norm.\1'),
    (r'predictor\.class_embed\.(.+)', r'cls_embed.\1'),
    *((rf'predictor\.mask_embed\.layers\.{i}\.(.+)', rf'mask_embed.{2 * i}.\1') for i in range(3)),
    (r'predictor\.((query_feat|query_embed|level_embed)\.weight)', r'\1'),
]
_RESNET = [  # detectron2's, its DeepLab variant with a stem of three convolutions too
    (r'stem\.conv1\.norm\.(.+)', r'bn1.\1'),
    (r'stem\.conv1\.weight', 'conv1.weight'),
    *(
        rule
        for i in range(1, 5)
        for rule in (
            (rf'res{i + 1}\.(\d+)\.conv(\d)\.norm\.(.+)', rf'layer{i}.\1.bn\2.\3'),
            (rf'res{i + 1}\.(\d+)\.(conv\d\.weight)', rf'layer{i}.\1.\2'),
            (rf'res{i + 1}\.(\d+)\.shortcut\.norm\.(.+)', rf'layer{i}.\1.downsample.1.\2'),
            (rf'res{i + 1}\.(\d+)\.shortcut\.weight', rf'layer{i}.\1.downsample.0.weight'),
        )
    ),
]
_DEEP_STEM = [
    rule
    for i in range(3)
    for rule in (
        (rf'stem\.conv{i + 1}\.norm\.(.+)', rf'stem.{3 * i + 1}.\1'),
        (rf'stem\.conv{i + 1}\.weight', rf'stem.{3 * i}.weight'),
    )
]
_CLIP = r'clip_adapter\.clip_model\.'
_MAFT = [  # what belongs to neither backbone nor head of the generator
    (r'IPCLIP\.(.+)', r'classifier.visual.\1'),
    (_CLIP + r'((transformer|token_embedding|ln_final)\..+)', r'text_encoder.\1'),
    (_CLIP + r'(positional_embedding|text_projection)', r'text_encoder.\1'),
    (r'clip_adapter\.non_object_embedding', 'generator.head.cls_embed.no_object'),
    # No output depends on these: a copy of IPCLIP that no forward reads; CLIP's own tower, which
    # is the teacher and which a config names; the cosines' factor, fixed at 100; the statistics of
    # images, which a config names; and the weight of each class in stage 1's loss.
    (r'T\..+', ''),
    (_CLIP + r'visual\..+', ''),
    (_CLIP + 'logit_scale', ''),
    (r'(clip_adapter\.)?pixel_(mean|std)', ''),
    (r'criterion\.empty_weight', ''),
]

_MASQCLIP = [
    (r'masqclip\.visual\.transformer\.resblocks\.(\d+)\.attn\.new_q_proj\.(.+)', r'own.q.\1.\2'),
    (r'masqclip\.visual\.(.+)', r'visual.\1'),
    (r'masqclip\.mask_embeddings', 'position'),
    # No output depends on these: statistics of images, which a config names, and weights of a loss.
    (r'(masqclip\.)?pixel_(mean|std)', ''),
    (r'criterion\.empty_weight', ''),
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


def mask2former(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """detectron2's Mask2Former head, behind `sem_seg_head.`, under the names of mmdet's
    `Mask2FormerHead`: 292 tensors with six and nine layers.

    Raises:
        ValueError: keys that the rules do not know; lists them.
    """
    return _rename(released, _MASK2FORMER, "those of a Mask2Former below 'sem_seg_head.'")


def resnet(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """detectron2's ResNet, behind `backbone.`, under the names of mmseg's ResNet, or ResNetV1c if
    the stem has three convolutions. Its frozen norms count no batches: 0 of them.

    Raises:
        ValueError: keys that the rules do not know; lists them.
    """
    deep = 'stem.conv2.weight' in released
    ours = _rename(
        released, _DEEP_STEM + _RESNET if deep else _RESNET, "those of a ResNet below 'backbone.'"
    )
    counts = [key.replace('running_mean', 'num_batches_tracked') for key in ours]
    return ours | {key: torch.tensor(0) for key in counts if key not in ours}


def maft(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """MAFT's tensors, or those of its stage 1 alone, a FreeSeg: under the names of `MAFT` with
    `QueryProposals`, and the text tower under `text_encoder.`. Stage 1 alone has CLIP's own tower
    as its classifier.

    Raises:
        ValueError: no generator in it; keys that the rules do not know; lists them.
    """
    backbone, head, rest = _parts(released, 'MAFT or FreeSeg')
    meeting = {key for key in head if key.startswith('interaction.')}
    decoder = 'pixel_decoder.decoder.' if meeting else 'pixel_decoder.'
    ours = {f'pixel_decoder.{key}': head.pop(key) for key in meeting}
    for key, value in mask2former(head).items():
        ours[re.sub(r'^pixel_decoder\.', decoder, key)] = value
    ours = {f'generator.head.{key}': value for key, value in ours.items()}
    ours |= {f'generator.backbone.{key}': value for key, value in resnet(backbone).items()}
    rules = _MAFT
    if not any(key.startswith('IPCLIP.') for key in rest):
        rules = [(_CLIP + r'visual\.(.+)', r'classifier.visual.\1'), *_MAFT]
    return ours | _rename(rest, rules, "MAFT's")


def masqclip(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """MasQCLIP's tensors under the names of `MasQCLIP` with `QueryProposals`. It has no text.

    Raises:
        ValueError: no generator in it; keys that the rules do not know; lists them.
    """
    backbone, head, rest = _parts(released, 'MasQCLIP')
    parts = {
        'generator.backbone': resnet(backbone),
        'generator.head': mask2former(head),
        'classifier': _rename(rest, _MASQCLIP, "MasQCLIP's"),
    }
    return {f'{part}.{key}': one for part, all_ in parts.items() for key, one in all_.items()}


def _parts(released: dict[str, Tensor], whose: str) -> tuple[dict, dict, dict]:
    """Backbone, head, both without their prefixes, and the rest of a detectron2 checkpoint."""
    backbone, head, rest = {}, {}, {}
    for key, value in released.items():
        for prefix, part in (('backbone.', backbone), ('sem_seg_head.', head), ('', rest)):
            if key.startswith(prefix):
                part[key.removeprefix(prefix)] = value
                break
    if not backbone or not head:
        raise ValueError(
            f"no 'backbone.*' or no 'sem_seg_head.*' key: this is no {whose} checkpoint. "
            f'It has {len(released)} keys, e.g. {sorted(released)[:3]}.'
        )
    return backbone, head, rest


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
