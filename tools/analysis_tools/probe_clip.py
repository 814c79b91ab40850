"""What a CLIP knows about pixels with no training at all: S, U and h of its features on windows.

    python tools/analysis_tools/probe_clip.py camvid_inductive
    python tools/analysis_tools/probe_clip.py camvid_inductive --weights clip.pt \\
        --window 48 --stride 24

Rows: `last`, the unmodified last block; `value`, its value path alone (out_proj(V), then the
projection); `block`, MaskCLIP's path with residual and MLP; `CLS token`, one answer for a whole
window and no patch features, the control that says how much of a result is the windows' doing.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress
from torch import Tensor

from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.clip.checkpoint import load_clip
from mmseg_zsclip.clip.model import CLIP
from mmseg_zsclip.clip.prompts import class_embeddings
from mmseg_zsclip.evaluation.scores import class_scores, pixel_areas, summarise
from mmseg_zsclip.experiments.pretraining.forward import dense_embeddings, to_last_block
from mmseg_zsclip.models.windows import mean_over_windows
from mmseg_zsclip.registry import DATASETS, MODELS
from mmseg_zsclip.vocabulary.labels import ignore_index
from mmseg_zsclip.vocabulary.lists import canonical, load_classes, load_unseen, split_indices

ROWS = ('last', 'block', 'value', 'CLS token')


def window_scores(clip: CLIP, text: Tensor, windows: Tensor) -> Tensor:
    """Cosines with the classes, (B, rows * C, H, W) for windows (B, 3, H, W), rows as in `ROWS`."""
    tokens, grid = clip.visual.embed(windows)
    cls, paths = dense_embeddings(clip.visual, to_last_block(clip.visual, tokens))
    out = {}
    for name, features in {**paths, 'CLS token': cls[:, None]}.items():
        scores = (F.normalize(features, dim=-1) @ text.T).transpose(1, 2)
        shape = (1, 1) if name == 'CLS token' else grid
        out[name] = F.interpolate(
            scores.unflatten(2, shape), size=windows.shape[2:], mode='bilinear'
        )
    return torch.cat([out[row] for row in ROWS], dim=1)


@torch.no_grad()
def probe(cfg, weights: str, window: int, stride: int, templates: str) -> dict:
    """(3, C) pixel areas over the validation photos of `cfg`, by row of the table."""
    init_default_scope(cfg.default_scope)
    classes = load_classes(cfg.classes)
    clip = load_clip(cfg.model.backbone.arch, weights)
    text = class_embeddings(clip.text, classes, templates)
    preprocess = MODELS.build(cfg.model.data_preprocessor)
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    areas = dict.fromkeys(ROWS, 0)
    for i in track_iter_progress(list(range(len(dataset)))):
        data = preprocess(pseudo_collate([dataset[i]]), False)
        label = data['data_samples'][0].gt_sem_seg.data[0]
        scores = mean_over_windows(
            data['inputs'],
            (window, window),
            (stride, stride),
            lambda part: window_scores(clip, text, part),
        )
        for name, score in zip(ROWS, scores.chunk(len(ROWS), dim=1), strict=True):
            score = F.interpolate(score, size=label.shape, mode='bilinear')[0]
            areas[name] = areas[name] + pixel_areas(
                score.argmax(0), label, len(classes), ignore_index(len(classes))
            )
    return {name: area.numpy() for name, area in areas.items()}


def main() -> None:
    parser = Parser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='its classes, photos, image size and architecture are used')
    parser.add_argument('--weights', help="CLIP weights; the config's own if left out")
    parser.add_argument('--window', type=int, default=48, help='pixels')
    parser.add_argument('--stride', type=int, default=24, help='pixels')
    parser.add_argument('--templates', default='single')
    parser.add_argument('--json', type=Path, help='file to write')
    args = parser.parse_args()
    cfg = load_config(args.config)
    weights = args.weights or cfg.model.backbone.weights
    names = [canonical(name) for name in load_classes(cfg.classes)]
    _, unseen = split_indices(names, load_unseen(cfg.unseen))
    areas = probe(cfg, weights, args.window, args.stride, args.templates)
    out = {}
    print(f'\n{weights}, windows of {args.window} every {args.stride} pixels')
    print(f'{"":12} {"pAcc":>6} {"mIoU":>6} {"S":>6} {"U":>6} {"h":>6}   unseen classes')
    for row in ROWS:
        iou, _ = class_scores(areas[row])
        per_class = {name: round(float(value), 2) for name, value in zip(names, iou, strict=True)}
        out[row] = dict(summarise(areas[row], unseen), per_class=per_class)
        cells = [out[row].get(key, 0.0) for key in ('pAcc', 'mIoU', 'mIoU(S)', 'mIoU(U)', 'hIoU')]
        print(
            f'{row:12} '
            + ' '.join(f'{value:6.1f}' for value in cells)
            + '   '
            + ', '.join(f'{names[i]} {iou[i]:.1f}' for i in unseen)
        )
    if args.json:
        args.json.write_text(json.dumps(out, indent=1))


if __name__ == '__main__':
    run_tool(main)
