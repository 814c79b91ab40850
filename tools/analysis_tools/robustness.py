"""MaskCLIP's table 4 for any config: a metric on corrupted test images, corruption by severity.

    python tools/analysis_tools/robustness.py maskclip_vit-b16_context59
    python tools/analysis_tools/robustness.py toy_maskclip --weights toy \\
        --cfg-options test_dataloader.dataset.length=30
    python tools/analysis_tools/robustness.py CONFIG CKPT \\
        --corruptions spatter jpeg_compression --severities 1 5

Prints the table and writes it to `--out` as robustness.md and robustness.json. Every finished cell
is kept there with all its metrics, so a run that was killed goes on where it stopped, and more
cells or another `--metric` cost nothing twice.
"""

import argparse
import copy
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mmseg_zsclip.apis.configs import ConfigNotFoundError
from mmseg_zsclip.apis.launch import evaluate, load_config
from mmseg_zsclip.cli.cfg_options import add_cfg_options, parse_options
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.launching import checkpoint_path
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.datasets.pipelines import config_pipelines
from mmseg_zsclip.datasets.transforms.corrupt import SEVERITIES
from mmseg_zsclip.experiments.provenance import clip_files, digest, source_digest
from mmseg_zsclip.files import whole_file, write_json

CORRUPTIONS = tuple(SEVERITIES)  # in the order of the paper's rows
CLEAN = 'none'


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help="a config file, or a shipped config's path or name")
    parser.add_argument('checkpoint', nargs='?', help='of a model that was trained')
    parser.add_argument('--corruptions', nargs='+', choices=CORRUPTIONS, default=CORRUPTIONS)
    parser.add_argument(
        '--severities', nargs='+', type=int, choices=range(1, 6), default=range(1, 6)
    )
    parser.add_argument('--metric', default='mIoU')
    parser.add_argument('--out', type=Path, help='default: work_dirs/robustness/<config>')
    parser.add_argument('--weights', help="CLIP weights of every tower, in place of the config's")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    try:
        args.cfg = load_config(
            args.config, options=parse_options(args.cfg_options), weights=args.weights
        )
    except ConfigNotFoundError as error:
        parser.error(str(error))
    args.checkpoint = args.checkpoint and checkpoint_path(args.checkpoint)
    args.out = args.out or Path('work_dirs', 'robustness', Path(args.cfg.filename).stem)
    args.cfg.work_dir = str(args.out / 'runs')
    args.cfg.log_level = 'ERROR'
    return args


def corrupted(cfg, kind: str, severity: int):
    """A copy of `cfg` whose test images are corrupted as soon as they are read.

    Raises:
        ValueError: a test pipeline reads no image file.
    """
    cfg = copy.deepcopy(cfg)
    for pipeline in config_pipelines(cfg.test_dataloader.dataset):
        at = [
            i
            for i, step in enumerate(pipeline)
            if step['type'].split('.')[-1] == 'LoadImageFromFile'
        ]
        if not at:
            raise ValueError(
                f'the test pipeline of {cfg.filename} has {[step["type"] for step in pipeline]}; '
                'images are corrupted directly behind LoadImageFromFile, which is not there.'
            )
        pipeline.insert(at[0] + 1, dict(type='mmseg_zsclip.Corrupt', kind=kind, severity=severity))
    return cfg


def settings(cfg, checkpoint: str | None) -> dict:
    """All that decides a cell besides the corruption."""
    content = cfg.to_dict()
    for key in ('work_dir', 'log_level', 'filename'):
        content.pop(key, None)
    local = checkpoint and '://' not in checkpoint
    return json.loads(
        json.dumps(
            dict(
                config=content,
                clip=clip_files(cfg.model),
                sources=source_digest(),
                checkpoint=digest([Path(checkpoint)]) if local else checkpoint,
            ),
            default=str,
        )
    )


def read_cells(path: Path, wanted: dict) -> dict[str, dict]:
    """Finished cells of `path`: name -> metrics.

    Raises:
        ValueError: they were measured with other settings.
    """
    if not path.is_file():
        return {}
    found = json.loads(path.read_text())
    other = [key for key in wanted if wanted[key] != found['settings'].get(key)]
    if other:
        raise ValueError(
            f'{path} holds cells measured with another {", ".join(other)}; one table must not mix '
            'them. Give another --out, or delete that file.'
        )
    return found['cells']


def table(
    cells: dict[str, dict], corruptions: Sequence[str], severities: Sequence[int], metric: str
) -> str:
    """Rows of Markdown: clean images, then each corruption; '-' where a cell has no such metric."""

    def row(name: str, keys: Sequence[str]) -> str:
        values = (cells.get(key, {}).get(metric) for key in keys)
        return f'| {name} | {" | ".join("-" if v is None else f"{v:.1f}" for v in values)} |'

    head = f'| corruption | {" | ".join(f"severity {s}" for s in severities)} |'
    return '\n'.join(
        [
            head,
            f'| --- |{" --- |" * len(severities)}',
            row('none', [CLEAN] * len(severities)),
            *(
                row(kind.replace('_', ' '), [f'{kind} {s}' for s in severities])
                for kind in corruptions
            ),
        ]
    )


def measure(args: argparse.Namespace) -> dict[str, dict]:
    """Metrics of every cell asked for, those of earlier runs included.

    Raises:
        ValueError: see `read_cells`, or the metric is none of the config's.
    """
    path = args.out / 'robustness.json'
    used = settings(args.cfg, args.checkpoint)
    cells = read_cells(path, used)
    jobs = {CLEAN: args.cfg} | {
        f'{kind} {severity}': corrupted(args.cfg, kind, severity)
        for kind in args.corruptions
        for severity in args.severities
    }
    for name, cfg in jobs.items():
        if name not in cells:
            cells[name] = evaluate(copy.deepcopy(cfg), args.checkpoint)
            write_json(path, dict(settings=used, cells=cells))
        if args.metric not in cells[name]:
            raise ValueError(
                f"--metric {args.metric!r} is none of this config's metrics: "
                f'{", ".join(cells[name])}.'
            )
        print(f'{name}: {args.metric} {cells[name][args.metric]:.1f}', flush=True)
    return cells


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    rows = table(measure(args), args.corruptions, args.severities, args.metric)
    protocol = args.cfg.get('protocol')
    text = (
        f'`{Path(args.cfg.filename).stem}`{f", protocol {protocol}" if protocol else ""}: '
        f'{args.metric}, percent, of corrupted test images.\n\n    python '
        'tools/analysis_tools/robustness.py '
        f'{shlex.join(sys.argv[1:] if argv is None else argv)}\n\n{rows}\n'
    )
    print(f'\n{text}')
    with whole_file(args.out / 'robustness.md') as partial:
        partial.write_text(text)


if __name__ == '__main__':
    run_tool(main)
