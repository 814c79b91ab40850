"""Prints what a config costs: trained and total parameters, multiply-accumulates of one window.

    python tools/efficiency.py voc_inductive
    python tools/efficiency.py voc_inductive --size 640 480 --json cost.json

Nothing is computed and no weights are read: shapes alone are followed. Rule of the count: one
multiply-accumulate per weight and output of every convolution and matrix product, those inside
attention included; norms, activations and resizing count nothing.
"""
import argparse
import json

import torch
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.models.zegclip import ZegCLIPHead, unbuilt_parameters
from mmseg_zsclip.registry import MODELS


def cost(config: str, size: tuple[int, int] | None = None) -> dict:
    """Parameters and MACs of a config at a window of `size` (h, w), its own crop if left out."""
    cfg = load_config(config)
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        model = MODELS.build(cfg.model).eval()
    model.decode_head.class_embeddings.computed = True
    size = size or cfg.model.test_cfg.get('crop_size')
    if size is None:
        raise ValueError(f'{config} names no crop_size in test_cfg; give --size H W.')
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, *size, device='meta'), mode='tensor')
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    out = dict(
        config=str(config), size=list(size), classes=model.num_classes, trained=trained,
        total=sum(p.numel() for p in model.parameters()), macs=counter.get_total_flops() // 2)
    if isinstance(model.decode_head, ZegCLIPHead):
        out['trained_as_released'] = trained + unbuilt_parameters(model.decode_head)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config')
    parser.add_argument('--size', type=int, nargs=2, metavar=('H', 'W'))
    parser.add_argument('--json', help='file to write')
    args = parser.parse_args()
    out = cost(args.config, args.size)
    print(f"{out['config']}: window {out['size'][0]} x {out['size'][1]}, {out['classes']} classes\n"
          f"trained {out['trained'] / 1e6:.2f} M of {out['total'] / 1e6:.1f} M parameters, "
          f"{out['macs'] / 1e9:.1f} GMACs")
    if 'trained_as_released' in out:
        print(f"trained as the released code declares them {out['trained_as_released'] / 1e6:.2f} M "
              '(the difference touches no output)')
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(out, file, indent=1)


if __name__ == '__main__':
    main()
