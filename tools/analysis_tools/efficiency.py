"""Prints what a config costs: parameters, multiply-accumulates, images a second, peak memory.

    python tools/analysis_tools/efficiency.py voc_inductive
    python tools/analysis_tools/efficiency.py voc_inductive --size 640 480 --json cost.json
    python tools/analysis_tools/efficiency.py coco_stuff_inductive --runs 0      # counts alone

Rule of the count: one multiply-accumulate per weight and output of every convolution and matrix
product, those inside attention included; norms, activations and resizing count nothing. The same
under every version of torch: `tools/analysis_tools/macs.py` counts. No weights are read: for the
counts shapes alone are followed, and random weights take as long as any. Of ZegCLIP it also counts
what its release declares and computes.
"""

import copy
import json
import statistics

import torch
from benchmark_parts import peak_gb, timed, without_names
from eager_zegclip import EagerHead, EagerViT
from macs import count_macs
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from mmseg_zsclip.apis.configs import ConfigNotFoundError
from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.models.zegclip import DeepPromptedViT, ZegCLIPHead, unbuilt_parameters
from mmseg_zsclip.registry import MODELS


def count(config: ConfigDict, size: tuple[int, int]) -> tuple[nn.Module, dict]:
    """The model, whose tensors have shapes alone; its parameters and the MACs of one window."""
    shapes_alone = FakeTensorMode()
    with shapes_alone:
        model = MODELS.build(config).eval()
        model.load_state_dict(model.state_dict())  # or it refuses: its weights were never read
    sizes = {p: p.numel() for p in model.parameters()}
    trained = sum(number for p, number in sizes.items() if p.requires_grad)
    model.requires_grad_(False)
    with shapes_alone:
        macs = count_macs(lambda: model(torch.empty(1, 3, *size), mode='tensor'))
    return model, dict(trained=trained, total=sum(sizes.values()), macs=macs)


def released(config: ConfigDict, model: nn.Module) -> ConfigDict | None:
    """The config of the release's formulation; None where it has none."""
    head, backbone = model.decode_head, model.backbone
    if not isinstance(head, ZegCLIPHead) or not isinstance(backbone, DeepPromptedViT):
        return None
    if (
        head.use_stages > 1
        or backbone.shallow
        or not backbone.num_prompts
        or len(backbone.prompt_blocks) < len(backbone.visual.blocks)
    ):
        return None
    config = copy.deepcopy(config)
    config.backbone.type, config.decode_head.type = EagerViT, EagerHead
    return config


def measure(config: ConfigDict, size: tuple[int, int], runs: int, device: str) -> dict:
    """Images a second, one at a time, the median of `runs`; and the peak memory, GiB: of the GPU,
    or of this process, its imports included."""
    model = without_names(MODELS.build(config), device)
    img = torch.randn(1, 3, *size, device=device)
    with torch.inference_mode():
        model(img, mode='tensor')
        seconds = [timed(lambda: model(img, mode='tensor'), device) for _ in range(runs)]
    return dict(images_per_s=1 / statistics.median(seconds), peak_gb=peak_gb(device))


def cost(
    config: str, size: tuple[int, int] | None = None, runs: int = 5, device: str = 'cpu'
) -> dict:
    """What a config costs at a window of `size` (h, w), its own crop if left out."""
    cfg = load_config(config)
    init_default_scope(cfg.default_scope)
    size = size or cfg.model.test_cfg.get('crop_size')
    if size is None:
        raise ValueError(f'{config} names no crop_size in test_cfg; give --size H W.')
    model, counted = count(cfg.model, size)
    out = dict(config=str(config), size=list(size), classes=model.num_classes, **counted)
    eager = released(cfg.model, model)
    if eager:
        out['trained_as_released'] = out['trained'] + unbuilt_parameters(model.decode_head)
        out['macs_as_released'] = count(eager, size)[1]['macs']
    return out | (measure(cfg.model, size, runs, device) if runs else {})


def main() -> None:
    parser = Parser(description=__doc__.split('\n')[0])
    parser.add_argument('config')
    parser.add_argument('--size', type=int, nargs=2, metavar=('H', 'W'))
    parser.add_argument('--runs', type=int, default=5, help='images timed; 0: nothing is run')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--json', help='file to write')
    args = parser.parse_args()
    try:
        out = cost(args.config, args.size, args.runs, args.device)
    except (ValueError, ConfigNotFoundError) as error:
        parser.error(str(error))
    print(
        f'{out["config"]}: window {out["size"][0]} x {out["size"][1]}, {out["classes"]} classes\n'
        f'trained {out["trained"] / 1e6:.2f} M of {out["total"] / 1e6:.1f} M parameters, '
        f'{out["macs"] / 1e9:.1f} GMACs'
    )
    if 'macs_as_released' in out:
        print(
            f'as the release declares and computes it {out["trained_as_released"] / 1e6:.2f} M, '
            f'{out["macs_as_released"] / 1e9:.1f} GMACs (the difference touches no output)'
        )
    if 'peak_gb' in out:
        print(
            f'{out["images_per_s"]:.2f} images/s, peak {out["peak_gb"]:.2f} GiB '
            f'({args.device}, {torch.get_num_threads()} threads, float32, one at a time)'
        )
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(out, file, indent=1)


if __name__ == '__main__':
    run_tool(main)
