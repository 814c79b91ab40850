"""Batches of crops, captions and their truth, from either kind of source."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...clip.tokenizer import tokenize
from .captions import CaptionWriter, Presence, truth
from .crops import CropSampler, jitter


@dataclass
class Batch:
    """`images`: (B, 3, S, S) normalised. `tokens`: (K, L). `target`: (B, K), 1 true, 0 false,
    -1 doubtful. `tags`: (B, C) likewise and `single`: (C,) caption of each class alone; None
    without label maps."""

    images: Tensor
    tokens: Tensor
    target: Tensor
    tags: Tensor | None = None
    single: Tensor | None = None


class LabelledBatches:
    """Captions written from the label maps of the crops.

    `membership`: (K, C), which labels are an instance of each entry of the writer; without it
    entries and labels are the same.
    """

    def __init__(
        self,
        crops: CropSampler,
        presence: Presence,
        writer: CaptionWriter,
        strength: float = 1.0,
        membership: np.ndarray | None = None,
    ) -> None:
        self.crops, self.presence, self.writer, self.strength = crops, presence, writer, strength
        self.membership = membership

    def draw(self, size: int, batch: int, rng: np.random.Generator) -> Batch:
        crops = self.crops.draw(size, batch, rng)
        counts = crops.counts if self.membership is None else crops.counts @ self.membership.T
        tags = self.presence.tags(counts, crops.total)
        captions = self.writer.write(tags, rng)
        return Batch(
            jitter(crops.pixels, rng, self.strength),
            tokenize(captions.texts),
            torch.from_numpy(truth(captions.mentions, tags)),
            torch.from_numpy(tags[:, : len(captions.single)]),
            torch.from_numpy(captions.single),
        )


class CaptionedBatches:
    """Captions given with the photos: true of their own and of photos that share the sentence."""

    def __init__(self, crops: CropSampler, strength: float = 1.0) -> None:
        self.crops, self.strength = crops, strength

    def draw(self, size: int, batch: int, rng: np.random.Generator) -> Batch:
        crops = self.crops.draw(size, batch, rng)
        own = [self.crops.photos[i].captions for i in crops.photo]
        texts = list(dict.fromkeys(captions[rng.integers(len(captions))] for captions in own))
        target = torch.tensor([[text in captions for text in texts] for captions in own])
        return Batch(
            jitter(crops.pixels, rng, self.strength), tokenize(texts), target.to(torch.int8)
        )
