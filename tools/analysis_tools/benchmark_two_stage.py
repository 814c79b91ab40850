"""The suite of benchmark.py for two stages: IP-CLIP against the bare tower and against a crop a
proposal, in seconds, multiply-accumulates and memory. Proposals are given: no generator is counted.

    python tools/analysis_tools/benchmark.py two_stage --size 480 --json out.json
    python tools/analysis_tools/benchmark_two_stage.py out.json --out memory.svg
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from benchmark_parts import (
    Setup,
    maskclip_config,
    peak_gb,
    peak_of,
    single,
    training_step,
    without_names,
)
from macs import MacCounter
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.experiments.report.curves import line_chart
from mmseg_zsclip.models import IPCLIPViT, SubImageCLIP
from mmseg_zsclip.models.proposals import Proposals
from mmseg_zsclip.registry import MODELS

PROPOSALS = 100
COUNTS = (1, 50, 100, 200, 400)  # proposals whose memory is compared
PHOTO = (512, 683)  # of the memory of classes: 4 : 3, the short side of A-847's test


def boxes(count: int, size: tuple[int, int], device: str = 'cpu') -> Tensor:
    """Masks (P, H, W) of boxes of half the image's height and width, each at a place of its own."""
    masks = torch.zeros(count, *size, device=device)
    high, wide = (n // 2 for n in size)
    for i, mask in enumerate(masks):
        top, left = i * 37 % (high + 1), i * 61 % (wide + 1)
        mask[top : top + high, left : left + wide] = 1
    return masks


class BoxProposals(nn.Module):
    """A generator that costs nothing: the same masks for every image of a size."""

    needs_labels = False
    statistics = None

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.made = None

    def forward(self, img: Tensor, metas: list, text: Tensor, labels: None) -> list[Proposals]:
        size = tuple(img.shape[2:])
        if self.made is None or self.made.masks.shape[1:] != size:
            self.made = Proposals.of_masks(boxes(self.count, size, img.device))
        return [self.made] * len(img)


def model_of(setup: Setup, kind: str, classes: int, **options) -> nn.Module:
    """A two-stage model on boxes; `TwoStageSegmentor` and `MAFT` see the photo as it comes in."""
    init_default_scope('mmseg')
    config = maskclip_config(setup.arch, classes)
    classifier = dict(type='mmseg_zsclip.IPCLIPViT', arch=setup.arch, clip_size=None)
    return without_names(
        MODELS.build(
            dict(
                type=f'mmseg_zsclip.{kind}',
                data_preprocessor=config['data_preprocessor'],
                generator=dict(type=BoxProposals, count=PROPOSALS),
                classifier=options.pop('classifier', classifier),
                classes=config['decode_head']['classes'],
                text=dict(arch=setup.arch),
                test_cfg=dict(keep_scores=False),
                **options,
            )
        ),
        setup.device,
    )


def macs_of(
    run: Callable[[], object], visual: nn.Module, others: Iterable[nn.Module] = ()
) -> tuple[int, int]:
    """Multiply-accumulates of `run()`: all, and those of `conv1`, of the MLPs and of `others`
    alone, which is what the papers of MAFT and MasQCLIP count."""
    counter, begun, counted = MacCounter(), [], [0]

    def before(*_) -> None:
        begun.append(counter.total)

    def after(*_) -> None:
        counted[0] += counter.total - begun.pop()

    handles = []
    for part in (visual.conv1, *(block.mlp for block in visual.blocks), *others):
        handles += part.register_forward_pre_hook(before), part.register_forward_hook(after)
    with torch.no_grad(), counter:
        run()
    for handle in handles:
        handle.remove()
    return counter.total, counted[0]


def ip_clip_macs(arch: str, size: int, proposals: int) -> tuple[int, int]:
    """See `macs_of`: an image and all of its proposals. Nothing is computed."""
    with torch.device('meta'):
        model = IPCLIPViT(arch, clip_size=None).eval()
        img, masks = torch.zeros(1, 3, size, size), torch.zeros(proposals, size, size)
        return macs_of(lambda: model(img, [masks]), model.visual)


def tower_macs(arch: str, size: int, images: int = 1) -> tuple[int, int]:
    """See `macs_of`: as many whole images, or crops."""
    with torch.device('meta'):
        visual = IPCLIPViT(arch).visual.eval()
        return macs_of(lambda: visual(torch.zeros(images, 3, size, size)), visual)


def forward_once(setup: Setup, proposals: int) -> float:
    """Peak GiB of a process that classifies so many proposals of one image."""
    model = IPCLIPViT(setup.arch, clip_size=None).to(setup.device).eval()
    with torch.inference_mode():
        model(setup.photos(), [boxes(proposals, (setup.size,) * 2, setup.device)])
    return peak_gb(setup.device)


def predict_classes(setup: Setup, classes: int) -> float:
    """Peak GiB of a process that predicts the labels of one photo of 512 x 683."""
    model = model_of(setup, 'TwoStageSegmentor', classes)
    sample = SegDataSample(metainfo=dict(img_shape=PHOTO, ori_shape=PHOTO))
    with torch.inference_mode():
        model(torch.randn(1, 3, *PHOTO, device=setup.device), [sample], mode='predict')
    return peak_gb(setup.device)


def seconds(setup: Setup) -> Iterator[dict]:
    bare, img = setup.tower(), setup.photos()
    ours = IPCLIPViT(setup.arch, clip_size=None).to(setup.device).eval()
    crops = SubImageCLIP(setup.arch).to(setup.device).eval()
    masks, kept = [boxes(PROPOSALS, (setup.size,) * 2, setup.device)], [(slice(None),) * 2]

    def classify() -> list[Tensor]:
        return ours(img, masks)

    with torch.inference_mode():
        yield dict(
            case=f'IP-CLIP, {PROPOSALS} proposals, vs bare tower',
            limit=1.08,
            **setup.compare(classify, lambda: bare(img)),
        )
        yield dict(
            case=f'IP-CLIP, {PROPOSALS} proposals, vs as many crops',
            limit=1 / 14,
            **setup.compare(classify, lambda: crops(img, masks, kept), fewer=4),
        )
    two = setup.photos(2)

    def forward() -> Tensor:
        with torch.inference_mode():
            return bare(two)

    for weight, what in ((1.0, ''), (0.0, ' without self-distillation')):
        distillation = dict(type='mmseg_zsclip.SelfDistillationLoss', loss_weight=weight)
        step = training_step(setup, model_of(setup, 'MAFT', 20, distillation=distillation))
        yield dict(
            case=f'MAFT step of 2, 20 classes{what}, vs bare tower',
            limit=2.5,
            **setup.compare(step, forward, fewer=2),
        )


def multiplications(setup: Setup) -> Iterator[dict]:
    """Rows in GMACs in place of seconds."""
    ours = ip_clip_macs(setup.arch, setup.size, PROPOSALS)
    with torch.device('meta'):
        crop = IPCLIPViT(setup.arch).arch.image_size
    for name, reference in (
        ('bare tower', tower_macs(setup.arch, setup.size)),
        ('as many crops', tower_macs(setup.arch, crop, PROPOSALS)),
    ):
        for i, counted in enumerate(('all', 'conv1 and MLPs')):
            limit = 1.04 if name == 'bare tower' else 1 / 18
            yield single(
                f'GMACs of IP-CLIP, {PROPOSALS} proposals, vs {name}, {counted}',
                limit,
                ours[i] / 1e9,
                reference[i] / 1e9,
            )


def memory(setup: Setup) -> Iterator[dict]:
    """Peak GiB of processes of their own."""
    yield single(
        'peak GiB of labels, 100 proposals, 847 classes vs 20',
        1.3,
        peak_of(predict_classes, setup, 847),
        peak_of(predict_classes, setup, 20),
    )
    peaks = [peak_of(forward_once, setup, count) for count in COUNTS]
    for count, peak in zip(COUNTS, peaks, strict=True):
        # a straight line through the least and the most
        line = peaks[0] + (peaks[-1] - peaks[0]) * (count - COUNTS[0]) / (COUNTS[-1] - COUNTS[0])
        yield single(f'peak GiB of IP-CLIP, {count} proposals, vs a line', 1.1, peak, line)


def two_stage(setup: Setup) -> Iterator[dict]:
    """Two stages behind the generator: seconds, multiply-accumulates and memory."""
    yield from multiplications(setup)
    yield from seconds(setup)
    yield from memory(setup)


def memory_chart(rows: Sequence[dict]) -> str:
    """The peaks of IP-CLIP by number of proposals, in rows of `memory`, as an SVG.

    Raises:
        ValueError: none among the rows.
    """
    found = [(re.search(r'GiB of IP-CLIP, (\d+) proposals', row['case']), row) for row in rows]
    points = [(int(match[1]), row['ours']) for match, row in found if match]
    if not points:
        raise ValueError(
            f'none of {len(rows)} rows is of IP-CLIP memory. Give the --json of '
            '`benchmark.py two_stage`.'
        )
    chart = line_chart({'': points}, 'Peak memory of IP-CLIP', 'GiB of the process', 'proposals')
    look = 'xmlns="http://www.w3.org/2000/svg" style="background: white; font: 12px sans-serif"'
    return chart.replace('<svg ', f'<svg {look} ', 1)


def main() -> None:
    parser = Parser(description='The memory of IP-CLIP by proposals, as SVG.')
    parser.add_argument('rows', type=Path, help='the --json of `benchmark.py two_stage`')
    parser.add_argument('--out', type=Path, default='memory.svg')
    args = parser.parse_args()
    chart = memory_chart(json.loads(args.rows.read_text())['rows'])
    args.out.write_text(chart + '\n')


if __name__ == '__main__':
    run_tool(main)
