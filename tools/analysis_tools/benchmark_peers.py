"""The suite of benchmark.py for peers: what others and our methods cost over the bare tower, for
the scores of 20 names on one photo, in seconds, multiply-accumulates and memory.

    python tools/analysis_tools/benchmark.py peers --size 352 --runs 9

All weights are random and all towers ViT-B/16: SAN's and CLIPSeg's whatever --arch. Names were
embedded before, but where a peer's own call embeds them.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import torch
from benchmark_parts import (
    VOC,
    Setup,
    maskclip_config,
    open_clip_tower,
    peak_gb,
    peak_of,
    single,
    without_names,
    zegclip_model,
)
from benchmark_two_stage import PROPOSALS, model_of
from macs import count_macs
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS as MMSEG_MODELS
from torch import Tensor, nn

from mmseg_zsclip.registry import MODELS

NAMES = VOC[0]
SAN = 'mmseg::san/san-vit-b16_voc12aug-640x640.py'
Run = Callable[[Tensor], object]  # of one photo (1, 3, H, W)


def encode_decode(model: nn.Module, setup: Setup) -> Run:
    metas = [dict(img_shape=(setup.size, setup.size), pad_shape=(setup.size, setup.size))]
    return lambda img: model.encode_decode(img, metas)


def maskclip(setup: Setup) -> Run:
    init_default_scope('mmseg')
    config = maskclip_config(setup.arch, NAMES)
    return encode_decode(without_names(MODELS.build(config), setup.device), setup)


def zegclip(setup: Setup) -> Run:
    return encode_decode(zegclip_model(setup, VOC), setup)


def maft(setup: Setup) -> Run:
    return encode_decode(model_of(setup, 'MAFT', NAMES), setup)


def san(setup: Setup) -> Run:
    """MMSegmentation's config, whose tower sees half the photo's side."""
    init_default_scope('mmseg')
    config = get_config(SAN).model
    config.pretrained = None
    model = MMSEG_MODELS.build(config).to(setup.device).eval()
    text = model.text_encoder
    text.cache[text.dataset_name] = torch.randn(NAMES, 512, device=setup.device)
    return encode_decode(model, setup)


def clipseg_model(setup: Setup) -> nn.Module:
    """Hugging Face's, of the sizes of `CIDAS/clipseg-rd64-refined`."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    config = CLIPSegConfig(
        vision_config=dict(patch_size=16), use_complex_transposed_convolution=True
    )
    return CLIPSegForImageSegmentation(config).to(setup.device).eval()


def clipseg(setup: Setup) -> Run:
    """As its page calls it: one photo a name, and the names themselves."""
    model = clipseg_model(setup)
    words = torch.randint(1, 40000, (NAMES, 77), device=setup.device)
    return lambda img: model(input_ids=words, pixel_values=img.expand(NAMES, -1, -1, -1)).logits


def clipseg_embedded(setup: Setup) -> Run:
    """As `clipseg`, of names that were embedded before."""
    model = clipseg_model(setup)
    words = torch.randn(NAMES, model.config.projection_dim, device=setup.device)
    return lambda img: (
        model(conditional_embeddings=words, pixel_values=img.expand(NAMES, -1, -1, -1)).logits
    )


CASES: dict[str, Callable[[Setup], Run]] = {
    "open_clip's tower": lambda setup: open_clip_tower(setup.arch, setup.size).to(setup.device),
    'MaskCLIP': maskclip,
    'ZegCLIP': zegclip,
    f'MAFT, {PROPOSALS} given proposals': maft,
    "mmseg's SAN": san,
    'CLIPSeg, a photo a name': clipseg,
    'CLIPSeg, names embedded before': clipseg_embedded,
}
BARE = 'bare tower'


def run_of(setup: Setup, name: str) -> Run:
    return setup.tower() if name == BARE else CASES[name](setup)


def look_once(setup: Setup, name: str) -> float:
    """Peak GiB of a process that looks at one photo."""
    with torch.inference_mode():
        run_of(setup, name)(setup.photos())
    return peak_gb(setup.device)


def peers(setup: Setup) -> Iterator[dict]:
    """Peers and our methods over the bare tower; nothing here has a limit."""
    names = list(CASES)
    if find_spec('transformers') is None:
        print("CLIPSeg needs transformers (the extra 'optional'): left out")
        names = [name for name in names if 'CLIPSeg' not in name]
    img, bare = setup.photos(), setup.tower()
    macs, peak = count_macs(lambda: bare(img)), peak_of(look_once, setup, BARE)
    for name in names:
        run = run_of(setup, name)
        case = f'{name}, vs {BARE}'
        with torch.inference_mode():
            yield dict(
                case=case,
                limit=None,
                **setup.compare(
                    lambda run=run: run(img), lambda: bare(img), 2 if 'CLIPSeg' in name else 1
                ),
            )
        yield single(
            f'GMACs of {case}', None, count_macs(lambda run=run: run(img)) / 1e9, macs / 1e9
        )
        del run
        yield single(f'peak GiB of {case}', None, peak_of(look_once, setup, name), peak)
