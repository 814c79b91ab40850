"""What the suites of benchmark.py time and how: pairs of runs, memory, models of random weights."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from eager_zegclip import EagerHead, EagerViT
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_zsclip.clip.checkpoint import load_visual
from mmseg_zsclip.models import Vocabulary
from mmseg_zsclip.models.encoders import CLIPBackbone
from mmseg_zsclip.registry import MODELS


@dataclass(frozen=True)
class Setup:
    """What is timed where; `runs` are pairs, `size` the pixels on a side of a photo."""

    runs: int
    device: str
    arch: str
    size: int

    def photos(self, count: int = 1) -> Tensor:
        return torch.randn(count, 3, self.size, self.size, device=self.device)

    def tower(self) -> nn.Module:
        return load_visual(self.arch).to(self.device)

    def compare(self, ours: Callable, reference: Callable, fewer: int = 1) -> dict:
        return compare(ours, reference, max(self.runs // fewer, 1), self.device)


def open_clip_tower(arch: str, size: int) -> nn.Module:
    import open_clip

    return open_clip.create_model(arch, force_image_size=size).visual.eval()


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
        ratio=statistics.median(ratios),
        ratio_min=ratios[0],
        ratio_max=ratios[-1],
    )


def peak_gb(device: str) -> float:
    """Peak memory so far, GiB: of the GPU, or of the process, as Linux counts it since the process
    began (`getrusage` would begin with what its parent had)."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**30
    with open('/proc/self/status') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('VmHWM')) / 2**20


# Classes, seen ones and prompts of ZegCLIP on VOC and on COCO-Stuff.
VOC, STUFF = (20, 15, 10), (171, 156, 100)


def zegclip_model(
    setup: Setup, sizes: tuple[int, int, int], eager: bool = False, with_cp: bool = False
) -> nn.Module:
    init_default_scope('mmseg')
    classes, seen, prompts = sizes
    names = [f'class {i}' for i in range(classes)]
    return without_names(
        MODELS.build(
            dict(
                type='mmseg_zsclip.OneStageSegmentor',
                backbone=dict(
                    type=EagerViT if eager else 'mmseg_zsclip.DeepPromptedViT',
                    arch=setup.arch,
                    num_prompts=prompts,
                    with_cp=with_cp,
                ),
                decode_head=dict(
                    type=EagerHead if eager else 'mmseg_zsclip.ZegCLIPHead',
                    classes=names,
                    unseen=names[seen:],
                    text=dict(arch=setup.arch),
                ),
                test_cfg=dict(mode='whole'),
            )
        ),
        setup.device,
    )


def training_step(setup: Setup, model: nn.Module, seen: int | None = None) -> Callable:
    """A function that trains the model for a step on two photos of eight classes at most, of the
    first `seen`, or those that the model knows as seen; in bfloat16 if asked to."""
    model.train()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-4)
    imgs = setup.photos(2)
    labels = torch.randint(0, min(seen or len(model.seen), 8), (2, 1, 16, 16)).float()
    labels = nn.functional.interpolate(labels, size=imgs.shape[2:]).long().to(setup.device)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]

    def step(amp: bool = False) -> None:
        with torch.autocast(setup.device, torch.bfloat16, enabled=amp):
            loss, _ = model.parse_losses(model(imgs, samples, mode='loss'))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def maskclip_config(arch: str, classes: int, **head) -> dict:
    return dict(
        type='mmseg_zsclip.OneStageSegmentor',
        data_preprocessor=dict(type='SegDataPreProcessor', mean=[123.0] * 3, std=[68.0] * 3),
        backbone=dict(type='mmseg_zsclip.MaskCLIPViT', arch=arch),
        decode_head=dict(
            type='mmseg_zsclip.MaskCLIPHead',
            classes=[f'class {i}' for i in range(classes)],
            text=dict(arch=arch),
            **head,
        ),
        test_cfg=ConfigDict(mode='whole', keep_scores=False),
    )


def without_names(model: nn.Module, device: str) -> nn.Module:
    """The model in evaluation mode, its text embeddings and tower random: nothing is read."""
    for module in model.modules():
        if isinstance(module, CLIPBackbone):
            module.filled = True
        if isinstance(module, Vocabulary):
            module.set_embeddings(torch.randn_like(module.embeddings))
    return model.to(device).eval()


def peak_of(run: Callable, setup: Setup, argument: object) -> float:
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(run, (setup, argument))


def single(case: str, limit: float | None, ours: float, reference: float) -> dict:
    """A row of what is measured once."""
    ratio = ours / reference
    return dict(
        case=case,
        limit=limit,
        ours=ours,
        reference=reference,
        ratio=ratio,
        ratio_min=ratio,
        ratio_max=ratio,
    )
