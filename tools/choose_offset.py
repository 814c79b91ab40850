"""Chooses `seen_offset` without any mask of an unseen class.

Some seen classes are hidden from training as if they were unseen too. On the training photos,
whose masks of these classes the model has not used, the offset with the best hIoU between them and
the classes left is printed; pixels of the really unseen classes are ignored throughout.

    python tools/choose_offset.py camvid_inductive --hold-out pavement sign
"""

import copy
import json
from pathlib import Path

import torch
from mmengine.dataset import pseudo_collate
from mmengine.utils import track_iter_progress

from mmseg_zsclip.apis.launch import build_runner, load_config
from mmseg_zsclip.cli.cfg_options import add_cfg_options, parse_options
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.datasets.pipelines import config_parts, config_pipelines
from mmseg_zsclip.evaluation.offset import offset_table, sweep_offsets
from mmseg_zsclip.registry import DATASETS
from mmseg_zsclip.vocabulary.labels import ignore_index
from mmseg_zsclip.vocabulary.lists import load_unseen, split_indices

OFFSETS = [round(0.025 * i, 3) for i in range(21)]


def hold_out(cfg, unseen: list[str]) -> None:
    """Make `unseen` the unseen classes of the head and of the training data."""
    cfg.model.decode_head.unseen = unseen
    for part in config_parts(cfg.train_dataloader.dataset):
        hiding = [step for step in part.pipeline if str(step.type).endswith('HideUnseen')]
        if not hiding:
            raise ValueError(
                'a training pipeline has no HideUnseen transform: this config is not '
                'zero-shot, so there is no offset to choose.'
            )
        for step in hiding:
            step.unseen = unseen
        if 'unseen' in (part.get('metainfo') or {}):
            part.metainfo.unseen = unseen
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None


def as_in_tests(dataset, pipeline: list) -> dict:
    """The config of the training photos, joined and wrapped ones included, with all their labels
    and the pipeline of tests."""
    dataset = copy.deepcopy(dataset)
    while str(dataset.type).endswith('hide_labels'):
        dataset = dataset.dataset
    for part in config_parts(dataset):
        part.pipeline = copy.deepcopy(pipeline)
    for one in (dataset, *config_parts(dataset)):
        for key in ('setting', 'keep_truth'):
            one.pop(key, None)
    return dataset


@torch.no_grad()
def sweep(model, dataset, seen: list[int], held: list[int], photos: int) -> list[dict]:
    """Table of offsets over up to `photos` photos, evenly spaced in the data set."""
    model.eval()
    model.decode_head.seen_offset = 0.0
    total = 0
    step = max(len(dataset) // photos, 1)
    for i in track_iter_progress(list(range(0, len(dataset), step))):
        sample = model.test_step(pseudo_collate([dataset[i]]))[0]
        label = sample.gt_sem_seg.data[0].to(sample.seg_logits.data.device)
        total = total + sweep_offsets(
            sample.seg_logits.data, label, seen, held, OFFSETS, ignore_index(model.num_classes)
        )
    return offset_table(total, held, OFFSETS)


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__.split('\n')[0])
    parser.add_argument('config')
    parser.add_argument('--hold-out', nargs='+', required=True, help='seen classes to hide')
    parser.add_argument('--work-dir', default='work_dirs/choose_offset')
    parser.add_argument('--photos', type=int, default=200, help='training photos to measure on')
    add_cfg_options(parser)
    args = parser.parse_args(argv)

    cfg = load_config(args.config, work_dir=args.work_dir, options=parse_options(args.cfg_options))
    test_pipeline = next(config_pipelines(cfg.val_dataloader.dataset))
    unseen = load_unseen(cfg.model.decode_head.unseen)
    hold_out(cfg, [*unseen, *args.hold_out])
    model = build_runner(cfg).train()
    classes = model.vocabulary.classes
    seen, _ = split_indices(classes, [*unseen, *args.hold_out])
    _, held = split_indices(classes, args.hold_out)
    dataset = DATASETS.build(as_in_tests(cfg.train_dataloader.dataset, test_pipeline))
    rows = sweep(model, dataset, list(seen), list(held), args.photos)
    best = max(rows, key=lambda row: row['hIoU'])
    print(f'\n{"offset":>7} {"S":>6} {"held out":>9} {"h":>6}')
    for row in rows:
        print(
            f'{row["offset"]:7.3f} {row["mIoU(S)"]:6.1f} {row["mIoU(U)"]:9.1f} '
            f'{row["hIoU"]:6.1f}{"  <- best" if row is best else ""}'
        )
    path = Path(args.work_dir) / 'offset.json'
    path.write_text(json.dumps(dict(held_out=args.hold_out, best=best, rows=rows), indent=1))
    print(f'seen_offset={best["offset"]}; table written to {path}')


if __name__ == '__main__':
    run_tool(main)
