"""The states of the random generators, as tensors and numbers that any checkpoint may hold."""

import random

import numpy as np
import torch


def random_states() -> dict:
    """Of Python, NumPy, torch and every CUDA device of this process."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    return dict(
        python=dict(version=version, words=torch.tensor(words, dtype=torch.int64), gauss=gauss),
        numpy=dict(
            keys=torch.from_numpy(keys.astype(np.int64)),
            position=int(position),
            has_gauss=int(has_gauss),
            cached=float(cached),
        ),
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state_all() if cuda else [],
    )


def set_random_states(states: dict) -> None:
    """Puts back what `random_states` gave; CUDA's where there are as many devices as there were."""
    python, numpy = states['python'], states['numpy']
    random.setstate((python['version'], tuple(python['words'].tolist()), python['gauss']))
    np.random.set_state(
        (
            'MT19937',
            numpy['keys'].cpu().numpy().astype(np.uint32),
            numpy['position'],
            numpy['has_gauss'],
            numpy['cached'],
        )
    )
    torch.set_rng_state(states['torch'].cpu())
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if devices and len(states['cuda']) == devices:
        torch.cuda.set_rng_state_all([state.cpu() for state in states['cuda']])


class ReplayedBatches:
    """A train loop's batches when it goes on: those before are drawn again, so that loaders and
    their processes are where they were; then, before the first new batch, `restore` is called.

    Args:
        batches: the loop's own iterator. skip: batches that were trained on.
        over: nothing is left to train, so that nothing has to be drawn again.
    """

    def __init__(self, batches, skip: int, restore, over: bool) -> None:
        self.batches, self.skip, self.restore, self.over = batches, skip, restore, over

    def __iter__(self):
        return self

    def __next__(self):
        if self.over:
            return None
        if self.skip == 0:
            self.restore()
        self.skip -= 1
        return next(self.batches)
