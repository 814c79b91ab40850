"""Draws proposals with their scores before and after MAFT (figure 3 of the paper).

One row a photo: what is there, and proposals that meet its largest unseen class (else its largest
class), from the best IoU with it to the worst; a title says the IoU, and CLIP's score of that
class, frozen and tuned.

    python tools/analysis_tools/proposal_scores.py toy_maft work_dirs/toy_maft/iter_40.pth
"""

from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmseg_zsclip.apis.launch import build_runner, load_config
from mmseg_zsclip.checkpoints import read_checkpoint
from mmseg_zsclip.cli.cfg_options import add_cfg_options, parse_options
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.engine.hooks import bare_model
from mmseg_zsclip.files import made_folder
from mmseg_zsclip.masks import class_maps, mask_iou
from mmseg_zsclip.models.mask_ops import THRESHOLD, photo_masks
from mmseg_zsclip.visualization.class_maps import COLUMNS, grid, heat, tile
from mmseg_zsclip.visualization.overlays import read_photo
from mmseg_zsclip.visualization.paint import paint, star

MEETS = 0.05  # IoU from which a proposal is shown


def shown_class(labels: Tensor, unseen: list[int], ignored: int) -> tuple[int, Tensor]:
    """The largest unseen class of a label map (H, W), else its largest, and its map (1, H, W)."""
    maps, classes = class_maps(labels, ignored)
    areas = maps.sum(dim=(1, 2)) + labels.numel() * torch.isin(classes, torch.tensor(unseen))
    largest = int(areas.argmax())
    return int(classes[largest]), maps[largest : largest + 1]


@torch.no_grad()
def scored(model, batch: dict) -> tuple:
    """Sample of a batch of one, masks (P, h, w) of the photo, and scores (P, C) that frozen and
    tuned CLIP give them."""
    batch = model.data_preprocessor(batch, False)
    img, samples = batch['inputs'], batch['data_samples']
    (proposals,), kept = model.propose(img, samples)
    scores = [
        model.logits(tower(img, [proposals.masks], kept)[0], model.vocabulary()).softmax(dim=1)
        for tower in (model.teacher, model.classifier)
    ]
    return samples[0], photo_masks(proposals.masks, samples[0].metainfo), *scores


def row(model, dataset, index: int) -> list:
    """Tiles of one photo."""
    sample, masks, frozen, tuned = scored(model, pseudo_collate([dataset[index]]))
    photo, labels = read_photo(sample.img_path, dataset), sample.gt_sem_seg.data[0]
    names = model.vocabulary.names
    unseen = [names[i] for i in model.unseen]
    which, truth = shown_class(labels, list(model.unseen), model.ignored)
    iou = mask_iou((masks > THRESHOLD).float(), truth)[0]
    order = [i for i in iou.argsort(descending=True).tolist() if iou[i] > MEETS]
    count = min(len(order), COLUMNS - 1)
    picked = [order[round(i)] for i in np.linspace(0, len(order) - 1, count)] if order else []
    palette = dataset.metainfo['palette']
    tiles = [tile(paint(labels.numpy(), names, palette, unseen), 'what is there')]
    for i in picked:
        title = f'{star(names[which], unseen)} IoU {iou[i]:.2f}: {frozen[i, which]:.2f} to '
        tiles.append(tile(heat(photo, masks[i].numpy(), 0, 1), title + f'{tuned[i, which]:.2f}'))
    return tiles + [tile(np.full_like(photo, 255), '')] * (COLUMNS - len(tiles))


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='of a MAFT model with a teacher')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', default='proposals.png')
    parser.add_argument('--photos', type=int, nargs='+', default=[0, 1, 2], help='of the test data')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    cfg = load_config(
        args.config, work_dir='work_dirs/proposal_scores', options=parse_options(args.cfg_options)
    )
    runner = build_runner(cfg)
    model = bare_model(runner)
    if getattr(model, 'teacher', None) is None:
        raise ValueError(
            f'{args.config} keeps no frozen CLIP to compare with; take a MAFT config whose '
            'distillation has a loss_weight above 0.'
        )
    model.load_state_dict(read_checkpoint(args.checkpoint)['state_dict'])
    model.teacher.init_weights()
    model.eval()
    dataset = runner.build_dataloader(cfg.test_dataloader).dataset
    tiles = [one for index in args.photos for one in row(model, dataset, index)]
    path = Path(args.out)
    made_folder(path.parent)
    grid(tiles).save(path)
    print(f'written to {path}; titles: IoU, score of frozen CLIP to score after MAFT')


if __name__ == '__main__':
    run_tool(main)
