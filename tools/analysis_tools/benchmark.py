"""Times this package against what it should equal or beat, alternating in one process.

    python tools/analysis_tools/benchmark.py                     # every case
    python tools/analysis_tools/benchmark.py tower --runs 20     # against open_clip's
    python tools/analysis_tools/benchmark.py zegclip --json out.json
    python tools/analysis_tools/benchmark.py two_stage --size 480
    python tools/analysis_tools/benchmark.py mta_clip            # ResNet-50, whatever --arch
    python tools/analysis_tools/benchmark.py masqclip --arch ViT-L-14-336 --size 336
    python tools/analysis_tools/benchmark.py peers --size 352    # SAN, CLIPSeg
    python tools/analysis_tools/benchmark.py segment             # files in and out
    python tools/analysis_tools/benchmark.py zegclip windows --arch ViT-XS-8 --size 48 --runs 1

A ratio is ours over the reference, the median over pairs of neighbouring runs, so that a machine
whose speed drifts does not decide. Weights are random: they do not change the cost. Limits are for
ViT-B/16 at 512 pixels, two stages at 480, MasQCLIP at CLIP's own size; those of bfloat16 and of
`torch.compile` for a GPU, or a CPU with AMX.
"""

import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator

import torch
from benchmark_masqclip import masqclip
from benchmark_mta_clip import mta_clip
from benchmark_parts import (
    STUFF,
    VOC,
    Setup,
    maskclip_config,
    open_clip_tower,
    peak_gb,
    peak_of,
    single,
    training_step,
    without_names,
    zegclip_model,
)
from benchmark_peers import peers
from benchmark_segment import segment
from benchmark_two_stage import two_stage
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.models.self_training import Teacher, best_of
from mmseg_zsclip.registry import MODELS


def tower(setup: Setup) -> Iterator[dict]:
    """Image tower of the same weights as open_clip's."""
    for size, batch in ((224, 4), (setup.size, 1)):
        theirs = open_clip_tower(setup.arch, size).to(setup.device)
        ours = setup.tower()
        state = theirs.state_dict()
        ours.positional_embedding = nn.Parameter(state['positional_embedding'].clone())
        ours.load_state_dict(state)
        img = torch.randn(batch, 3, size, size, device=setup.device)
        with torch.inference_mode():
            torch.testing.assert_close(ours(img), theirs(img), rtol=1e-3, atol=1e-4)
            yield dict(
                case=f'image tower, {batch} x {size} px, vs open_clip',
                limit=1.0,
                **setup.compare(lambda m=ours, x=img: m(x), lambda m=theirs, x=img: m(x)),
            )


def zegclip(setup: Setup) -> Iterator[dict]:
    """Inference and training steps against the bare tower's forward, and as they are released."""
    bare = setup.tower()
    img, two = setup.photos(), setup.photos(2)

    def forward(x: Tensor) -> Tensor:
        with torch.inference_mode():
            return bare(x)

    for sizes, inference in ((VOC, 1.0), (STUFF, 1.2)):
        ours, eager, frugal = models = [
            zegclip_model(setup, sizes, **options)
            for options in ({}, dict(eager=True), dict(with_cp=True))
        ]
        what = f'{sizes[0]} classes, {sizes[2]} prompts'
        with torch.inference_mode():
            for name, reference, limit in (
                ('bare tower', lambda: forward(img), inference),
                ('as released', lambda m=eager: m(img, mode='tensor'), 1.0),
            ):
                yield dict(
                    case=f'ZegCLIP inference, {what}, vs {name}',
                    limit=limit,
                    **setup.compare(lambda m=ours: m(img, mode='tensor'), reference),
                )
        ours, eager, frugal = (training_step(setup, model) for model in models)
        for name, run, reference, limit in (
            ('vs bare tower', ours, lambda: forward(two), 2.2),
            ('vs as released', ours, eager, 1.0),
            ('with_cp vs without', frugal, ours, 1.5),
        ):
            yield dict(
                case=f'ZegCLIP step of 2, {what}, {name}',
                limit=limit,
                **setup.compare(run, reference, fewer=2),
            )


def windows(setup: Setup) -> Iterator[dict]:
    """Sliding windows against the same crops, given as a batch."""
    model = zegclip_model(setup, VOC)
    crop, stride = setup.size, setup.size * 5 // 6
    model.test_cfg = ConfigDict(mode='slide', crop_size=(crop, crop), stride=(stride, stride))
    for side in (1, 2, 3):
        starts = [stride * i for i in range(side)]
        img = torch.randn(1, 3, starts[-1] + crop, starts[-1] + crop, device=setup.device)
        crops = torch.cat([img[:, :, y : y + crop, x : x + crop] for y in starts for x in starts])
        metas = [dict(img_shape=(crop, crop))] * len(crops)
        with torch.inference_mode():
            yield dict(
                case=f'{len(crops)} sliding windows vs a batch of these crops',
                limit=1.05,
                **setup.compare(
                    lambda x=img, m=metas: model.slide_inference(x, m[:1]),
                    lambda x=crops, m=metas: model.encode_decode(x, m),
                ),
            )


def bfloat16(setup: Setup) -> Iterator[dict]:
    """ZegCLIP under autocast against float32."""
    model, img = zegclip_model(setup, VOC), setup.photos()

    def predict(amp: bool = False) -> Tensor:
        with torch.inference_mode(), torch.autocast(setup.device, torch.bfloat16, enabled=amp):
            return model(img, mode='tensor')

    yield dict(
        case='ZegCLIP inference, bfloat16 vs float32',
        limit=1 / 1.5,
        **setup.compare(lambda: predict(amp=True), predict),
    )
    step = training_step(setup, model)
    yield dict(
        case='ZegCLIP step of 2, bfloat16 vs float32',
        limit=1 / 1.5,
        **setup.compare(lambda: step(amp=True), step, fewer=2),
    )


def compiled(setup: Setup) -> Iterator[dict]:
    """ZegCLIP's backbone and head as one graph of torch.compile; a break in it is an error."""
    if setup.device == 'cpu' and not shutil.which(os.environ.get('CXX', 'g++')):
        print('torch.compile needs a C++ compiler: left out')
        return
    model, img = zegclip_model(setup, VOC), setup.photos()
    fast = torch.compile(lambda x: model(x, mode='tensor'), fullgraph=True)
    with torch.inference_mode():
        yield dict(
            case='ZegCLIP inference, torch.compile vs eager',
            limit=1.0,
            **setup.compare(lambda: fast(img), lambda: model(img, mode='tensor')),
        )


def maskclip(setup: Setup) -> Iterator[dict]:
    """The value path, key smoothing and the labels of a teacher."""
    init_default_scope('mmseg')
    bare, img = setup.tower(), setup.photos()
    plain, smooth = (
        without_names(MODELS.build(maskclip_config(setup.arch, 20, ks_thresh=ks)), setup.device)
        for ks in (0.0, 1.0)
    )
    teacher = Teacher(maskclip_config(setup.arch, 59))
    without_names(teacher, setup.device)
    normalise = teacher.model.data_preprocessor
    with torch.inference_mode():
        for name, ours, reference, limit in (
            (
                'MaskCLIP, 20 classes, vs bare tower',
                lambda: plain(img, mode='tensor'),
                lambda: bare(img),
                1.0,
            ),
            (
                'MaskCLIP, key smoothing vs none',
                lambda: smooth(img, mode='tensor'),
                lambda: plain(img, mode='tensor'),
                1.05,
            ),
            (
                "59-class labels of a teacher vs the teacher's forward",
                lambda: best_of(
                    teacher.scores(teacher.as_it_sees(img, normalise)), range(59), img.shape[2:]
                ),
                lambda: teacher.model(img, mode='tensor'),
                1.05,
            ),
        ):
            yield dict(case=name, limit=limit, **setup.compare(ours, reference))


def predict_once(setup: Setup, classes: int) -> float:
    """Peak GiB of a process that predicts one photo."""
    init_default_scope('mmseg')
    model = without_names(MODELS.build(maskclip_config(setup.arch, classes)), setup.device)
    shape = dict.fromkeys(('img_shape', 'ori_shape'), (setup.size, setup.size))
    with torch.inference_mode():
        model(setup.photos(), [SegDataSample(metainfo=shape)], mode='predict')
    return peak_gb(setup.device)


LARGE = (3000, 4000)  # pixels of a photo of 12 megapixels
WINDOWS = dict(mode='slide', crop_size=(512, 512), stride=(426, 426))


def predict_large(setup: Setup, case: tuple[int, tuple[int, int], dict]) -> float:
    """Peak GiB of a process that predicts one photo: of so many classes, of (H, W),
    by a test_cfg."""
    classes, size, test_cfg = case
    init_default_scope('mmseg')
    model = without_names(MODELS.build(maskclip_config(setup.arch, classes)), setup.device)
    model.test_cfg = ConfigDict(test_cfg)
    shape = dict.fromkeys(('img_shape', 'ori_shape'), size)
    with torch.inference_mode():
        model(
            torch.randn(1, 3, *size, device=setup.device),
            [SegDataSample(metainfo=shape)],
            mode='predict',
        )
    return peak_gb(setup.device)


def train_twice(setup: Setup, options: dict) -> float:
    """Peak GiB of a process that trains for two steps: the first makes the optimizer's state."""
    step = training_step(setup, zegclip_model(setup, **options))
    step()
    step()
    return peak_gb(setup.device)


def memory(setup: Setup) -> Iterator[dict]:
    """Peak GiB of processes of their own: 847 classes over 20, and ZegCLIP's step as released."""

    def row(case: str, limit: float, run: Callable, ours: object, reference: object) -> dict:
        return single(
            f'peak GiB of {case}', limit, peak_of(run, setup, ours), peak_of(run, setup, reference)
        )

    yield row('MaskCLIP, 847 classes vs 20', 1.3, predict_once, 847, 20)
    for sizes in (VOC, STUFF):
        step, eager = f'ZegCLIP step of 2, {sizes[1]} classes', dict(sizes=sizes, eager=True)
        yield row(f'{step}, vs as released', 1.0, train_twice, dict(sizes=sizes), eager)
        yield row(
            f'{step}, with_cp, vs as released',
            0.6,
            train_twice,
            dict(sizes=sizes, with_cp=True),
            eager,
        )


def large(setup: Setup) -> Iterator[dict]:
    """Peak GiB of a photo of 12 megapixels through windows: its scores, over 1.15 times their bytes
    and what a batch of windows needs alone; and labels of 847 classes, over 4 GiB."""
    alone = dict(WINDOWS, keep_scores=False)
    batch = (20, (2048, 2048), dict(alone, stride=(512, 512)))  # 16 windows, as a batch has
    scores = 20 * LARGE[0] * LARGE[1] * 4 / 2**30
    yield single(
        'peak GiB of 20-class scores, 3000 x 4000, vs 1.15 x result + batch',
        1.0,
        peak_of(predict_large, setup, (20, LARGE, WINDOWS)),
        peak_of(predict_large, setup, batch) + 1.15 * scores,
    )
    yield single(
        'peak GiB of 847-class labels, 3000 x 4000, vs 4 GiB',
        1.0,
        peak_of(predict_large, setup, (847, LARGE, alone)),
        4.0,
    )


SUITES = dict(
    tower=tower,
    zegclip=zegclip,
    windows=windows,
    bfloat16=bfloat16,
    compiled=compiled,
    maskclip=maskclip,
    memory=memory,
    large=large,
    two_stage=two_stage,
    mta_clip=mta_clip,
    masqclip=masqclip,
    peers=peers,
    segment=segment,
)


def main() -> None:
    parser = Parser(description=__doc__.split('\n')[0])
    parser.add_argument('suites', nargs='*', default=list(SUITES), help=f'of {", ".join(SUITES)}')
    parser.add_argument('--runs', type=int, default=10, help='pairs of runs')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--arch', default='ViT-B-16', help='a ViT')
    parser.add_argument('--size', type=int, default=512, help='pixels on a side')
    parser.add_argument('--json', help='file to write')
    args = parser.parse_args()
    unknown = set(args.suites) - set(SUITES)
    if unknown:
        parser.error(f'unknown suite {sorted(unknown)}; legal: {", ".join(SUITES)}')
    where = (
        torch.cuda.get_device_name()
        if args.device == 'cuda'
        else (f'{platform.machine()}, {torch.get_num_threads()} threads')
    )
    setup = Setup(args.runs, args.device, args.arch, args.size)
    print(
        f'torch {torch.__version__}, {where}, {args.runs} pairs, {args.arch} at {args.size} '
        'pixels\n'
    )
    print(f'{"case":68} {"ours s":>8} {"ref s":>8} {"ratio":>6} {"min-max":>11} {"limit":>6}')
    rows = []
    for name in args.suites:
        for row in SUITES[name](setup):
            rows.append(row)
            limit = '' if row['limit'] is None else f'{row["limit"]:6.3f}'
            print(
                f'{row["case"]:68} {row["ours"]:8.3f} {row["reference"]:8.3f} {row["ratio"]:6.3f} '
                f'{row["ratio_min"]:5.3f}-{row["ratio_max"]:.3f} {limit}',
                flush=True,
            )
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(
                dict(
                    torch=torch.__version__,
                    machine=where,
                    arch=args.arch,
                    size=args.size,
                    rows=rows,
                ),
                file,
                indent=1,
            )


if __name__ == '__main__':
    run_tool(main)
