"""The suite of benchmark.py for MTA-CLIP: what its text costs over the Mask2Former that it is
without, in seconds and in peak memory, for the classes of Cityscapes and of ADE20K."""

from collections.abc import Callable, Iterator

import torch
from benchmark_parts import Setup, peak_gb, peak_of, single, training_step
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmseg_zsclip.apis import find_config
from mmseg_zsclip.apis.launch import set_weights
from mmseg_zsclip.registry import MODELS

CLASSES = {19: 'cityscapes', 150: 'ade150'}  # how many -> the names
CONFIG = 'ade20k_r50'


def model_of(setup: Setup, classes: int, with_text: bool, config: str = CONFIG) -> nn.Module:
    """Of a config, at random, with three contexts; without text it is Mask2Former."""
    init_default_scope('mmseg')
    cfg = Config.fromfile(find_config(config))
    set_weights(cfg, None)
    head = cfg.model.decode_head
    head.classes = CLASSES[classes]
    if not with_text:
        head.update(text=None, loss_sim=None)
    model = MODELS.build(cfg.model)
    if with_text:
        model.decode_head.text_queries.prompts.init_weights()
    return model.to(setup.device).eval()


def step_of(setup: Setup, model: nn.Module) -> Callable:
    return training_step(setup, model, model.num_classes)


def train_twice(setup: Setup, case: tuple) -> float:
    """Peak GiB of a process that trains the model of `case` for two steps."""
    step = step_of(setup, model_of(setup, *case))
    step()
    step()
    return peak_gb(setup.device)


def steps(setup: Setup, ours: nn.Module, plain: nn.Module, what: str) -> Iterator[dict]:
    """A training step, and what of its cost remains without two of its parts."""
    run, reference = step_of(setup, ours), step_of(setup, plain)

    def row(name: str, limit: float | None = None) -> dict:
        times = setup.compare(run, reference, fewer=2)
        return dict(case=f'MTA-CLIP {name}, {what}', limit=limit, **times)

    yield row('step of 2', 1.25)
    ours.decode_head.text_queries.prompts.eval()  # those that were last computed
    yield row('step without tower')
    ours.decode_head.alignment = None
    yield row('step without tower and L_sim')


def mta_clip(setup: Setup, config: str = CONFIG) -> Iterator[dict]:
    """MTA-CLIP with K = 3 over Mask2Former: heads, models, training steps and memory."""
    img = setup.photos()
    for classes in CLASSES:
        ours, plain = (model_of(setup, classes, with_text, config) for with_text in (True, False))
        what = f'{classes} classes, vs Mask2Former'
        with torch.inference_mode():
            maps = plain.extract_feat(img)
            for name, run, reference in (
                (
                    'head',
                    lambda m=ours, x=maps: m.decode_head(x),
                    lambda m=plain, x=maps: m.decode_head(x),
                ),
                ('model', lambda m=ours: m(img), lambda m=plain: m(img)),
            ):
                yield dict(
                    case=f'MTA-CLIP {name}, {what}', limit=1.25, **setup.compare(run, reference)
                )
        yield from steps(setup, ours, plain, what)
        peaks = (
            peak_of(train_twice, setup, (classes, with_text, config)) for with_text in (True, False)
        )
        yield single(f'peak GiB of an MTA-CLIP step of 2, {what}', 1.25, *peaks)
