"""Draws the surest masks of MTA-CLIP with their nearest text; or models beside each other, where
most classes meet.

    python tools/analysis_tools/draw_mta_clip.py toy_mta_clip CKPT --photos 3 --out queries.png
    python tools/analysis_tools/draw_mta_clip.py toy_mta_clip CKPT --out crops.png \\
        --beside pixel-text toy_pixel_text CKPT2 --beside Mask2Former FOLDER/toy_mta_clip.py CKPT3

The nearest text is that of the largest cosine in CLIP's space after the last layer, Eq. 5 and 6; it
takes no part in the prediction. A config may be the one that a training leaves in its folder.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate

from mmseg_zsclip.apis.launch import build_runner, load_config
from mmseg_zsclip.checkpoints import read_checkpoint
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.engine.hooks import bare_model
from mmseg_zsclip.files import made_folder
from mmseg_zsclip.losses.mask_text import mask_text_similarity
from mmseg_zsclip.visualization.class_maps import COLUMNS, grid, tile
from mmseg_zsclip.visualization.overlays import read_photo
from mmseg_zsclip.visualization.paint import paint
from mmseg_zsclip.vocabulary.class_names import canonical

SHADE = 4  # what is outside of a mask is so much darker


class Query(NamedTuple):
    """A mask (H, W) bool with its class and score, and its nearest text: class, context, cosine."""

    mask: np.ndarray
    label: int
    score: float
    text: int
    context: int
    cosine: float


@torch.no_grad()
def named_queries(model, batch: dict) -> list[Query]:
    """Of a batch of one photo, the surest first; masks are as large as the photo."""
    data = model.data_preprocessor(batch)
    (sample,) = data['data_samples']
    head = model.decode_head
    decoded = head.decode(model.extract_feat(data['inputs']), align=True)
    scores, labels = decoded.logits[-1][0].softmax(dim=-1)[:, :-1].max(dim=-1)
    masks = F.interpolate(decoded.masks[-1], data['inputs'].shape[2:], mode='bilinear')
    height, width = sample.img_shape[:2]  # without padding
    masks = F.interpolate(masks[..., :height, :width], sample.ori_shape[:2], mode='bilinear')[0]
    aligned = decoded.aligned[head.num_transformer_decoder_layers]
    similarity = mask_text_similarity(*aligned, 1.0, 'cosine')[0].flatten(1)
    cosines, nearest = similarity.max(dim=-1)
    contexts = aligned[1].shape[2]
    return [
        Query(
            (masks[i] > 0).cpu().numpy(),
            labels[i].item(),
            scores[i].item(),
            *divmod(nearest[i].item(), contexts),
            cosines[i].item(),
        )
        for i in scores.argsort(descending=True).tolist()
    ]


def query_tiles(model, dataset, index: int, count: int) -> list:
    """The photo and its `count` surest masks."""
    batch = pseudo_collate([dataset[index]])
    photo = read_photo(batch['data_samples'][0].img_path, dataset)
    names = list(map(canonical, dataset.metainfo['classes']))
    tiles = [tile(photo, 'photo')]
    for one in named_queries(model, batch)[:count]:
        seen = np.where(one.mask[..., None], photo, photo // SHADE)
        said = f'{names[one.label]} {one.score:.2f}; text: {names[one.text]} {one.context + 1}'
        tiles.append(tile(seen, f'{said}, {one.cosine:.2f}'))
    return tiles


def busiest(labels: np.ndarray, side: int) -> tuple[int, int]:
    """Top and left of the window of label map (H, W) with the most pixels that differ from the one
    above or to the left."""
    edges = np.zeros(labels.shape, np.uint8)
    edges[1:] |= labels[1:] != labels[:-1]
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    sums = cv2.integral(edges)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return tuple(int(one) for one in np.unravel_index(inside.argmax(), inside.shape))


@torch.no_grad()
def crop_tiles(models: dict, dataset, index: int, side: int) -> list:
    """The truth and each model's prediction, `side` pixels of them, over the photo."""
    found, palette = {}, dataset.metainfo['palette']
    names = list(map(canonical, dataset.metainfo['classes']))
    for name, model in models.items():
        (sample,) = model.test_step(pseudo_collate([dataset[index]]))
        found[name] = sample.pred_sem_seg.data[0].cpu().numpy()
    truth = sample.gt_sem_seg.data[0].cpu().numpy()
    side = min(side, *truth.shape)
    top, left = busiest(truth, side)
    window = np.s_[top : top + side, left : left + side]
    scale = -(-384 // side)
    photo = read_photo(sample.img_path, dataset)[window].repeat(scale, 0).repeat(scale, 1)
    return [
        tile(paint(labels[window], names, palette, (), scale=scale, photo=photo), name)
        for name, labels in {'truth': truth, **found}.items()
    ]


def load(config: str, checkpoint: str) -> tuple:
    """Model and test data."""
    cfg = load_config(config, work_dir='work_dirs/draw_mta_clip')
    runner = build_runner(cfg)
    model = bare_model(runner).eval()
    model.load_state_dict(read_checkpoint(checkpoint)['state_dict'])
    return model, runner.build_dataloader(cfg.test_dataloader).dataset


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__.split('\n\n')[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument(
        '--beside',
        nargs=3,
        action='append',
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        help='another model; crops are drawn then, the first model last',
    )
    parser.add_argument('--side', type=int, default=56, help='of a crop, pixels')
    parser.add_argument('--masks', type=int, default=2 * COLUMNS - 1, help='of a photo')
    parser.add_argument('--photos', type=int, nargs='+', default=[0], help='of the test data')
    parser.add_argument('--out', default='mta_clip.png')
    args = parser.parse_args(argv)
    model, dataset = load(args.config, args.checkpoint)
    if args.beside:
        models = {name: load(*where)[0] for name, *where in args.beside}
        models['MTA-CLIP'] = model
        tiles = [one for i in args.photos for one in crop_tiles(models, dataset, i, args.side)]
    elif getattr(model.decode_head, 'alignment', None) is None:
        parser.error(f'{args.config} aligns no masks with text; give one with `loss_sim`')
    else:
        tiles = [one for i in args.photos for one in query_tiles(model, dataset, i, args.masks)]
    path = Path(args.out)
    made_folder(path.parent)
    grid(tiles).save(path)
    print(f'written to {path}')


if __name__ == '__main__':
    run_tool(main)
