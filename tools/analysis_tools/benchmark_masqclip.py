"""The suite of benchmark.py for MasQCLIP: mask class tokens beside the bare tower, in seconds,
multiply-accumulates and memory, and the memory of MasQ-tuning. No generator is counted.

    python tools/analysis_tools/benchmark.py masqclip --arch ViT-L-14-336 --size 336
    python tools/analysis_tools/benchmark.py masqclip --arch ViT-B-16 --size 224
"""

from collections.abc import Iterator

import torch
from benchmark_parts import Setup, peak_gb, peak_of, single, training_step
from benchmark_two_stage import PROPOSALS, boxes, macs_of, model_of, tower_macs
from torch import Tensor, nn

from mmseg_zsclip.models import MasQCLIPViT

CASE = f'MasQCLIP, {PROPOSALS} proposals, vs bare tower'
# Limits over the bare tower: of seconds, and of both countings of multiply-accumulates where CLIP's
# tokens run through the last block too. The fewer patches, the more the mask class tokens weigh.
LIMITS = {'ViT-L-14-336': (1.25, (1.147, 1.195)), 'ViT-B-16': (1.5, (1.426, 1.566))}


def encoder(setup: Setup) -> MasQCLIPViT:
    out = MasQCLIPViT(setup.arch, clip_size=setup.size)
    out.filled = True  # random weights cost the same
    return out.to(setup.device).eval()


def masq_macs(arch: str, size: int, proposals: int) -> tuple[int, int]:
    """See `macs_of`, the queries' projections among the parts: an image and all of its proposals.
    Nothing is computed."""
    with torch.device('meta'):
        model = MasQCLIPViT(arch, clip_size=size).eval()
        img, masks = torch.zeros(1, 3, size, size), torch.zeros(proposals, size, size)
        return macs_of(lambda: model(img, [masks]), model.visual, model.own['q'])


def tuned(setup: Setup) -> nn.Module:
    classifier = dict(type='mmseg_zsclip.MasQCLIPViT', arch=setup.arch, clip_size=setup.size)
    return model_of(setup, 'MasQCLIP', 20, classifier=classifier)


def saved_by_graph(model: nn.Module, run) -> list[Tensor]:
    """Tensors that the graph of `run()` keeps for its way back, each storage once and parameters
    left out."""
    own = {one.untyped_storage().data_ptr() for one in model.parameters()}
    kept = {}

    def keep(one: Tensor) -> Tensor:
        place = one.untyped_storage().data_ptr()
        if place not in own:
            kept.setdefault(place, one)
        return one

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        run()
    return list(kept.values())


def look(setup: Setup, proposals: int) -> float:
    """Peak GiB of a process that classifies so many proposals of an image; none is the tower."""
    img = setup.photos()
    with torch.inference_mode():
        if proposals:
            encoder(setup)(img, [boxes(proposals, (setup.size,) * 2, setup.device)])
        else:
            setup.tower()(img)
    return peak_gb(setup.device)


def look_at_two(setup: Setup, _: None) -> float:
    """Peak GiB of a process that trains nothing: the tower of the model, of a batch of two."""
    model = tuned(setup)
    with torch.inference_mode():
        model.classifier.visual(setup.photos(2))
    return peak_gb(setup.device)


def tune(setup: Setup, _: None) -> float:
    """Peak GiB of a process that tunes for two steps: the first makes the optimizer's state."""
    step = training_step(setup, tuned(setup))
    step()
    step()
    return peak_gb(setup.device)


def tokens_share(setup: Setup, _: None) -> float:
    """GiB that the tuning of mask class tokens needs: what their graph keeps of a batch of two,
    gradients and the optimizer's two moments."""
    model = tuned(setup)
    img, masks = setup.photos(2), [boxes(PROPOSALS, (setup.size,) * 2, setup.device)] * 2
    kept = saved_by_graph(model, lambda: model.classifier(img, masks))
    trained = sum(one.nbytes for one in model.parameters() if one.requires_grad)
    return (sum(one.untyped_storage().nbytes() for one in kept) + 3 * trained) / 2**30


def of_one_image(setup: Setup) -> Iterator[dict]:
    """Multiply-accumulates, in place of seconds, and seconds."""
    limit, fewest = LIMITS.get(setup.arch, LIMITS['ViT-B-16'])
    ours = masq_macs(setup.arch, setup.size, PROPOSALS)
    reference = tower_macs(setup.arch, setup.size)
    for i, counted in enumerate(('all', 'by table 6')):
        yield single(f'GMACs of {CASE}, {counted}', fewest[i], ours[i] / 1e9, reference[i] / 1e9)
    model, bare, img = encoder(setup), setup.tower(), setup.photos()
    masks = [boxes(PROPOSALS, (setup.size,) * 2, setup.device)]
    with torch.inference_mode():
        yield dict(
            case=CASE, limit=limit, **setup.compare(lambda: model(img, masks), lambda: bare(img))
        )


def memory(setup: Setup) -> Iterator[dict]:
    """Peak GiB of processes of their own."""
    yield single(
        f'peak GiB of {CASE}', 1.5, peak_of(look, setup, PROPOSALS), peak_of(look, setup, 0)
    )
    forward, share = (peak_of(run, setup, None) for run in (look_at_two, tokens_share))
    yield single(
        'peak GiB of a MasQ step of 2, vs 1.5 x forward + tokens',
        1.0,
        peak_of(tune, setup, None),
        1.5 * forward + share,
    )


def masqclip(setup: Setup) -> Iterator[dict]:
    """MasQCLIP behind the generator: multiply-accumulates, seconds and memory."""
    yield from of_one_image(setup)
    yield from memory(setup)
