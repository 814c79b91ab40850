"""Times this package against what it should equal or beat, alternating in one process.

    python tools/benchmark.py                     # every case
    python tools/benchmark.py tower --runs 20     # the image tower against open_clip's
    python tools/benchmark.py zegclip --json out.json

A ratio is ours over the reference, the median over pairs of neighbouring runs, so that a machine
whose speed drifts does not decide. Weights are random: they do not change the cost.
"""
import argparse
import json
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_zsclip.clip.checkpoint import load_visual
from mmseg_zsclip.models import ClassEmbeddings
from mmseg_zsclip.models.self_training import Teacher, best_of
from mmseg_zsclip.registry import MODELS

ARCH = 'ViT-B-16'


def timed(run: Callable[[], object], device: str) -> float:
    """Seconds of one run, the GPU's queue included."""
    if device == 'cuda':
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(ours: Callable, reference: Callable, runs: int, device: str) -> dict:
    """Alternate A B A B ... after one warm-up of each; seconds and the ratio of pairs."""
    ours(), reference()
    pairs = [(timed(ours, device), timed(reference, device)) for _ in range(runs)]
    ratios = sorted(a / b for a, b in pairs)
    return dict(
        ours=statistics.median(a for a, _ in pairs),
        reference=statistics.median(b for _, b in pairs),
        ratio=statistics.median(ratios), ratio_min=ratios[0], ratio_max=ratios[-1])


def peak_gb(device: str) -> float:
    """Peak memory so far, GiB: of the GPU, or of the process."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def open_clip_tower(size: int) -> nn.Module:
    import open_clip
    return open_clip.create_model(ARCH, force_image_size=size).visual.eval()


def tower(runs: int, device: str) -> Iterator[dict]:
    """Image tower of the same weights as open_clip's."""
    for size, batch in ((224, 4), (512, 1)):
        theirs = open_clip_tower(size).to(device)
        ours = load_visual(ARCH).to(device)
        state = theirs.state_dict()
        ours.positional_embedding = nn.Parameter(state['positional_embedding'].clone())
        ours.load_state_dict(state)
        img = torch.randn(batch, 3, size, size, device=device)
        with torch.inference_mode():
            torch.testing.assert_close(ours(img), theirs(img), rtol=1e-3, atol=1e-4)
            yield dict(case=f'image tower, {batch} x {size} px, vs open_clip', limit=1.0,
                       **compare(lambda m=ours, x=img: m(x), lambda m=theirs, x=img: m(x),
                                 runs, device))


def zegclip_model(classes: int, prompts: int, device: str) -> nn.Module:
    init_default_scope('mmseg')
    model = MODELS.build(dict(
        type='mmseg_zsclip.ZeroShotSegmentor',
        backbone=dict(type='mmseg_zsclip.DeepPromptedViT', arch=ARCH, num_prompts=prompts),
        decode_head=dict(
            type='mmseg_zsclip.ZegCLIPHead', classes=[f'class {i}' for i in range(classes)],
            text=dict(arch=ARCH)),
        test_cfg=dict(mode='whole')))
    return without_names(model, device)


def zegclip(runs: int, device: str) -> Iterator[dict]:
    """Inference and a training step at 512 pixels, against the bare tower's forward."""
    bare = load_visual(ARCH).to(device)
    img = torch.randn(1, 3, 512, 512, device=device)
    for classes, prompts in ((20, 10), (171, 100)):
        model = zegclip_model(classes, prompts, device)
        with torch.inference_mode():
            yield dict(case=f'ZegCLIP inference, {classes} classes, {prompts} prompts, vs bare tower',
                       limit=1.0 if classes == 20 else 1.2,
                       **compare(lambda m=model: m(img, mode='tensor'), lambda: bare(img), runs,
                                 device))
    yield training_step(bare, 15, 10, runs, device)


def maskclip_config(classes: int, **head) -> dict:
    return dict(
        type='mmseg_zsclip.ZeroShotSegmentor',
        backbone=dict(type='mmseg_zsclip.MaskCLIPViT', arch=ARCH),
        decode_head=dict(
            type='mmseg_zsclip.MaskCLIPHead', classes=[f'class {i}' for i in range(classes)],
            text=dict(arch=ARCH), **head),
        test_cfg=ConfigDict(mode='whole', keep_scores=False))


def without_names(model: nn.Module, device: str) -> nn.Module:
    """The model in evaluation mode, its class embeddings random: names need not be embedded."""
    for module in model.modules():
        if isinstance(module, ClassEmbeddings):
            module.embeddings = nn.functional.normalize(
                torch.randn_like(module.embeddings), dim=-1)
            module.computed = True
    return model.to(device).eval()


def maskclip(runs: int, device: str) -> Iterator[dict]:
    """The value path, key smoothing and the labels of a teacher, at 512 pixels."""
    init_default_scope('mmseg')
    bare = load_visual(ARCH).to(device)
    img = torch.randn(1, 3, 512, 512, device=device)
    plain, smooth = (without_names(MODELS.build(maskclip_config(20, ks_thresh=ks)), device)
                     for ks in (0.0, 1.0))
    teacher = Teacher(maskclip_config(59))
    without_names(teacher, device)
    normalise = teacher.model.data_preprocessor
    with torch.inference_mode():
        for name, ours, reference, limit in (
                ('MaskCLIP, 20 classes, vs bare tower', lambda: plain(img, mode='tensor'),
                 lambda: bare(img), 1.0),
                ('MaskCLIP, key smoothing vs none', lambda: smooth(img, mode='tensor'),
                 lambda: plain(img, mode='tensor'), 1.05),
                ("59-class labels of a teacher vs the teacher's forward",
                 lambda: best_of(teacher.scores(teacher.as_it_sees(img, normalise)), range(59),
                                 (512, 512)),
                 lambda: teacher.model(img, mode='tensor'), 1.05)):
            yield dict(case=name, limit=limit, **compare(ours, reference, runs, device))


def predict_once(classes: int, device: str) -> float:
    """Peak GiB of a process that predicts one image of 512 pixels."""
    init_default_scope('mmseg')
    model = without_names(MODELS.build(maskclip_config(classes)), device)
    shape = dict(img_shape=(512, 512), ori_shape=(512, 512))
    with torch.inference_mode():
        model(torch.randn(1, 3, 512, 512, device=device), [SegDataSample(metainfo=shape)],
              mode='predict')
    return peak_gb(device)


def memory(runs: int, device: str) -> Iterator[dict]:
    """Peak memory of 847 classes over that of 20, each in a process of its own; GiB."""
    context = multiprocessing.get_context('spawn')
    peaks = []
    for classes in (847, 20):
        with context.Pool(1) as pool:
            peaks.append(pool.apply(predict_once, (classes, device)))
    many, few = peaks
    yield dict(case='peak GiB of MaskCLIP, 847 classes vs 20', limit=1.3, ours=many, reference=few,
               ratio=many / few, ratio_min=many / few, ratio_max=many / few)


def training_step(bare: nn.Module, classes: int, prompts: int, runs: int, device: str) -> dict:
    """One step of batch 2 per image, in forwards of the bare tower, and the peak memory."""
    model = zegclip_model(classes, prompts, device).train()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-4)
    imgs = torch.randn(2, 3, 512, 512, device=device)
    labels = torch.randint(0, classes, (2, 1, 16, 16)).float()
    labels = nn.functional.interpolate(labels, size=(512, 512)).long().to(device)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]

    def step() -> None:
        loss, _ = model.parse_losses(model(imgs, samples, mode='loss'))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def forwards() -> Tensor:
        with torch.inference_mode():
            return bare(imgs)

    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    before = peak_gb(device)
    out = compare(step, forwards, max(runs // 2, 3), device)
    return dict(case=f'ZegCLIP training step, batch 2, {classes} classes, per bare forward',
                limit=2.67, peak_gb=peak_gb(device), before_gb=before, **out)


SUITES = dict(tower=tower, zegclip=zegclip, maskclip=maskclip, memory=memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('suites', nargs='*', default=list(SUITES), help=f'of {", ".join(SUITES)}')
    parser.add_argument('--runs', type=int, default=10, help='pairs of runs')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--json', help='file to write')
    args = parser.parse_args()
    unknown = set(args.suites) - set(SUITES)
    if unknown:
        parser.error(f'unknown suite {sorted(unknown)}; legal: {", ".join(SUITES)}')
    where = torch.cuda.get_device_name() if args.device == 'cuda' else (
        f'{platform.machine()}, {torch.get_num_threads()} threads')
    print(f'torch {torch.__version__}, {where}, {args.runs} pairs\n')
    print(f'{"case":68} {"ours s":>8} {"ref s":>8} {"ratio":>6} {"min-max":>11} {"limit":>6}')
    rows = []
    for name in args.suites:
        for row in SUITES[name](args.runs, args.device):
            rows.append(row)
            print(f'{row["case"]:68} {row["ours"]:8.3f} {row["reference"]:8.3f} {row["ratio"]:6.2f} '
                  f'{row["ratio_min"]:5.2f}-{row["ratio_max"]:.2f} {row["limit"]:6.2f}'
                  + (f'  peak {row["peak_gb"]:.1f} GiB' if 'peak_gb' in row else ''), flush=True)
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(dict(torch=torch.__version__, machine=where, rows=rows), file, indent=1)


if __name__ == '__main__':
    main()
