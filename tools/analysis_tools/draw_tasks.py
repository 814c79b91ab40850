"""Draws what one two-stage model says of photos: semantic, instance and panoptic, side by side.

Words of one's own take the place of the config's classes; those of stuff, of which nothing is
counted, are named by --stuff.

    python tools/analysis_tools/draw_tasks.py toy_masqclip work_dirs/toy_masqclip/iter_400.pth \\
        --classes sky grass road 'beach, sand' 'house, home' car --stuff sky grass road beach
"""

from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from mmseg_zsclip.apis.launch import build_runner, load_config
from mmseg_zsclip.checkpoints import read_checkpoint
from mmseg_zsclip.cli.cfg_options import add_cfg_options, parse_options
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.engine.hooks import bare_model
from mmseg_zsclip.files import made_folder
from mmseg_zsclip.models.segments import OFFSET
from mmseg_zsclip.visualization.class_maps import grid, tile
from mmseg_zsclip.visualization.overlays import read_photo
from mmseg_zsclip.visualization.paint import paint
from mmseg_zsclip.vocabulary.class_names import canonical

TASKS = ['semantic', 'instance', 'panoptic']
SURE = 0.3  # score from which an instance is drawn


def palette(count: int) -> np.ndarray:
    """(count, 3) RGB of hues a golden angle apart."""
    from matplotlib.colors import hsv_to_rgb

    hues = np.arange(count) * 0.618 % 1
    return np.uint8(255 * hsv_to_rgb(np.stack([hues, 0.6 + 0 * hues, 0.9 + 0 * hues], axis=1)))


def painted(ids: np.ndarray, names: list[str], photo: np.ndarray):
    """Segments (H, W), -1 where there is none, each in a colour of its own, with its name."""
    return paint(ids, names, palette(len(names)), (), scale=1, photo=photo)


def segment_map(ids: torch.Tensor, classes: list[str]) -> tuple[np.ndarray, list[str]]:
    """Panoptic ids (H, W) -> numbers of segments from 0, -1 for void, and the segments' names."""
    there = [i for i in ids.unique().tolist() if i % OFFSET < len(classes)]
    out = torch.full_like(ids, -1)
    for number, i in enumerate(there):
        out[ids == i] = number
    names = [classes[i % OFFSET] + (f' {i // OFFSET}' if i >= OFFSET else '') for i in there]
    return out.numpy(), names


def instance_map(found, classes: list[str]) -> tuple[np.ndarray, list[str]]:
    """Instances that are `SURE`, the surest on top -> as `segment_map`."""
    order = [i for i in found.scores.argsort().tolist() if found.scores[i] > SURE]
    out = torch.full(found.masks.shape[1:], -1)
    for number, i in enumerate(order):
        out[found.masks[i]] = number
    names = [f'{classes[found.labels[i]]} {found.scores[i]:.2f}' for i in order]
    return out.numpy(), names


def row(model, dataset, index: int) -> list:
    """Tiles of one photo."""
    with torch.no_grad():
        sample = model.test_step(pseudo_collate([dataset[index]]))[0].cpu()
    classes = model.vocabulary.names
    photo = read_photo(sample.img_path, dataset)
    photo = np.kron(photo, np.ones((3, 3, 1), np.uint8)) if min(photo.shape[:2]) < 200 else photo
    scale = photo.shape[0] // sample.ori_shape[0]
    maps = (
        (sample.pred_sem_seg.data[0].numpy(), classes),
        instance_map(sample.pred_instances, classes),
        segment_map(sample.pred_panoptic_seg.sem_seg[0], classes),
    )
    tiles = [tile(photo, 'photo')]
    for task, (ids, names) in zip(TASKS, maps, strict=True):
        ids = np.kron(ids, np.ones((scale, scale), ids.dtype))
        tiles.append(tile(painted(ids, names, photo), task))
    return tiles


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='of a two-stage model')
    parser.add_argument('checkpoint')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='other words; synonyms by ,')
    parser.add_argument(
        '--stuff', nargs='*', default=[], metavar='NAME', help='which are no things'
    )
    parser.add_argument('--out', default='tasks.png')
    parser.add_argument('--photos', type=int, nargs='+', default=[0, 1], help='of the test data')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    cfg = load_config(
        args.config, work_dir='work_dirs/draw_tasks', options=parse_options(args.cfg_options)
    )
    cfg.model.test_cfg = dict(cfg.model.get('test_cfg') or {}, tasks=TASKS)
    runner = build_runner(cfg)
    model = bare_model(runner).eval()
    model.load_state_dict(read_checkpoint(args.checkpoint)['state_dict'])
    if args.classes:
        things = [one for one in args.classes if canonical(one) not in args.stuff]
        model = model.with_classes(args.classes, things=things)
    dataset = runner.build_dataloader(cfg.test_dataloader).dataset
    path = Path(args.out)
    made_folder(path.parent)
    grid([one for index in args.photos for one in row(model, dataset, index)]).save(path)
    print(f'written to {path}')


if __name__ == '__main__':
    run_tool(main)
