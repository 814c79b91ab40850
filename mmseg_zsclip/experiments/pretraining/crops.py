"""Square crops of photos, half of them centred on a pixel of a class drawn uniformly."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...clip.archs import CLIP_MEAN, CLIP_STD
from .photos import Photo


@dataclass
class Crops:
    """`pixels`: (B, 3, S, S) uint8 RGB. `counts`: (B, C) label pixels of each class, of `total`
    (B,). `photo`: (B,) index of the photo."""

    pixels: Tensor
    counts: np.ndarray
    total: np.ndarray
    photo: np.ndarray


class CropSampler:
    """Draws crops of `size` * u pixels, u log-uniform in `scale`, of photos `height` pixels high.

    Photos keep their own resolution: a crop is cut there and resized once, so that a crop that is
    larger than life keeps the photo's detail. `height` only says at what size the model will meet
    such photos later, so that things appear at the size they will have then.

    Args:
        photos: at least one; all with label maps, or none.
        classes: number of classes (0 without label maps).
        centred: share of crops around a pixel of a class drawn uniformly.
        groups: (classes,) the class for that drawing of each label; each its own if left out.
    """

    def __init__(
        self,
        photos: list[Photo],
        classes: int,
        height: int,
        scale: tuple[float, float],
        centred: float = 0.5,
        remembered: int = 200,
        groups: np.ndarray | None = None,
    ) -> None:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f'crop scale is {scale}; legal: 0 < least <= greatest')
        self.photos, self.classes, self.height, self.scale = photos, classes, height, scale
        self.centred = centred if classes else 0.0
        groups = np.arange(classes) if groups is None else groups
        self.places = self._places(remembered, groups) if classes else []
        self.known = [c for c in range(len(self.places)) if self.places[c]]

    def _places(self, remembered: int, groups) -> list[list[tuple[int, np.ndarray]]]:
        """For every class: photos that hold it, with up to `remembered` of its (row, column)."""
        rng = np.random.default_rng(0)
        places: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(max(groups) + 1)]
        for number, photo in enumerate(self.photos):
            for label in np.unique(photo.labels):
                if 0 <= label < self.classes:
                    pixels = np.argwhere(photo.labels == label)
                    pick = rng.permutation(len(pixels))[:remembered]
                    places[groups[label]].append((number, pixels[pick].astype(np.int32)))
        return places

    def _box(self, size: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Photo index, side and top-left corner (row, column) in its pixels."""
        number, centre = int(rng.integers(len(self.photos))), None
        if self.known and rng.random() < self.centred:
            held = self.places[self.known[rng.integers(len(self.known))]]
            number, pixels = held[rng.integers(len(held))]
            centre = pixels[rng.integers(len(pixels))]
        height, width = self.photos[number].pixels.shape[:2]
        u = np.exp(rng.uniform(*np.log(self.scale)))
        side = int(np.clip(round(size * u * height / self.height), 8, min(height, width)))
        if centre is None:
            top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        else:
            inside = rng.uniform(0.25, 0.75, 2) * side
            top = np.clip(centre[0] - inside[0], 0, height - side)
            left = np.clip(centre[1] - inside[1], 0, width - side)
        return number, side, int(top), int(left)

    def draw(self, size: int, batch: int, rng: np.random.Generator) -> Crops:
        """`batch` crops of `size` x `size` pixels."""
        pixels = np.empty((batch, size, size, 3), np.uint8)
        counts = np.zeros((batch, self.classes), np.int64)
        total, index = np.zeros(batch, np.int64), np.zeros(batch, np.int64)
        for i in range(batch):
            number, side, top, left = self._box(size, rng)
            photo = self.photos[number]
            crop = photo.pixels[top : top + side, left : left + side]
            way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
            pixels[i] = cv2.resize(crop, (size, size), interpolation=way)
            if self.classes:
                stride = max(1, side // 48)
                labels = photo.labels[
                    top : top + side : stride, left : left + side : stride
                ].ravel()
                known = labels[(labels >= 0) & (labels < self.classes)]
                counts[i] = np.bincount(known, minlength=self.classes)
                total[i] = labels.size
            index[i] = number
        return Crops(torch.from_numpy(pixels).permute(0, 3, 1, 2), counts, total, index)


def jitter(pixels: Tensor, rng: np.random.Generator, strength: float = 1.0) -> Tensor:
    """Random light, colour, noise and mirror image, then CLIP's normalisation.

    Args:
        pixels: (B, 3, S, S) uint8 RGB.
        strength: 0 = normalise only (mirroring included).

    Returns:
        (B, 3, S, S) float32.
    """
    x = pixels.float() / 255
    if strength > 0:

        def draw(spread, *shape):
            values = rng.uniform(-spread, spread, (len(x), *shape)) * strength
            return torch.from_numpy(np.exp(values).astype(np.float32))

        gamma, gain = draw(0.4, 1, 1, 1), draw(0.25, 1, 1, 1) * draw(0.1, 3, 1, 1)
        saturation, contrast = draw(0.5, 1, 1, 1), draw(0.3, 1, 1, 1)
        x = gain * x.clamp(min=1e-3) ** gamma
        grey = x.mean(1, keepdim=True)
        x = grey + saturation * (x - grey)
        mean = x.mean((1, 2, 3), keepdim=True)
        x = mean + contrast * (x - mean)
        level = torch.from_numpy(
            rng.uniform(0, 0.04 * strength, (len(x), 1, 1, 1)).astype(np.float32)
        )
        seed = torch.Generator().manual_seed(int(rng.integers(2**62)))
        x = (x + level * torch.randn(x.shape, generator=seed)).clamp(0, 1)
        blurred = torch.from_numpy(rng.random(len(x)) < 0.1 * strength)
        if blurred.any():
            x[blurred] = F.avg_pool2d(x[blurred], 3, 1, 1, count_include_pad=False)
    mirrored = torch.from_numpy(rng.random(len(x)) < 0.5)
    x[mirrored] = x[mirrored].flip(-1)
    mean = torch.tensor(CLIP_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(CLIP_STD).view(1, 3, 1, 1)
    return (x - mean) / std
