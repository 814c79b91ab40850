"""Proposals that no network makes: of the ground truth, as it is or disturbed, and of files.

A proposal generator turns a batch into the proposals of each image,

    generator(images, metas, text, labels) -> of each image Proposals

for images (B, 3, H, W), padding and all, `metas` of the samples as mmseg's, the text embeddings
(C, d) of the vocabulary, and the label maps (H, W) of the images as the model gets them, where the
generator says `needs_labels`. `statistics` are the mean and std that it wants of images, None where
any will do. One that trains has `loss` too, see `query_proposals`.
"""

import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.model import BaseModule
from torch import Tensor

from ..masks import class_maps
from ..registry import MODELS
from .mask_ops import input_masks
from .proposals import Proposals


@MODELS.register_module()
class TrueProposals(BaseModule):
    """The ground truth as proposals, one mask a class: what the classifier alone is worth.

    Args:
        ignored: the value of ignored pixels, which are in no proposal.
    """

    needs_labels = True
    statistics = None

    def __init__(self, ignored: int = 255, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.ignored = ignored

    def forward(
        self, img: Tensor, metas: Sequence[Mapping], text: Tensor, labels: Sequence[Tensor]
    ) -> list[Proposals]:
        return [
            Proposals.of_masks(class_maps(one, self.ignored)[0].to(img.dtype)) for one in labels
        ]


def halves(mask: Tensor, rng: torch.Generator) -> list[Tensor]:
    """A mask (H, W) bool cut along a line through its centre, at a random angle; what cannot be
    cut, a single pixel, comes back whole."""
    places = mask.nonzero()
    angle = torch.rand(1, generator=rng).item() * math.pi
    across = places.new_tensor([math.sin(angle), math.cos(angle)], dtype=torch.float32)
    beyond = places[(places - places.float().mean(dim=0)) @ across > 0]
    part = torch.zeros_like(mask)
    part[beyond[:, 0], beyond[:, 1]] = True
    return [part, mask & ~part] if 0 < len(beyond) < len(places) else [mask]


@MODELS.register_module()
class SplitMergedProposals(TrueProposals):
    """The ground truth split and merged at random, as SAM's masks are parts and groups of things.

    The masks do not overlap and cover all labelled pixels. A photo of one name has the same ones
    each time.

    Args:
        split: share of the masks that are cut in two, each mask by chance.
        merged: share of the parts that are joined with another one, of whatever class.
        count: P of every image: the largest are then cut, or the first two joined, until there are
            so many; fewer only where there are fewer pixels. If left out, as many as there are.
        seed: another one for other masks.
        ignored: see `TrueProposals`.

    Raises:
        ValueError: a share outside [0, 1], or a count below 1.
    """

    def __init__(
        self,
        split: float = 0.5,
        merged: float = 0.25,
        count: int | None = None,
        seed: int = 0,
        ignored: int = 255,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(ignored, init_cfg)
        for name, share in (('split', split), ('merged', merged)):
            if not 0 <= share <= 1:
                raise ValueError(f'{name} is {share}; legal: a share of the masks, from 0 to 1.')
        if count is not None and count < 1:
            raise ValueError(
                f'count is {count}; legal: the proposals of an image, at least 1, or None for as '
                'many as there are.'
            )
        self.split = split
        self.merged = merged
        self.count = count
        self.seed = seed

    def forward(
        self, img: Tensor, metas: Sequence[Mapping], text: Tensor, labels: Sequence[Tensor]
    ) -> list[Proposals]:
        out = []
        for truth, meta in zip(super().forward(img, metas, text, labels), metas, strict=True):
            name = f'{self.seed} {Path(meta.get("img_path", "")).name}'
            rng = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            parts = self.disturbed(list(truth.masks > 0), rng)
            out.append(Proposals.of_masks(torch.stack(parts).to(img.dtype)) if parts else truth)
        return out

    def disturbed(self, masks: list[Tensor], rng: torch.Generator) -> list[Tensor]:
        """Masks (H, W) bool of an image -> what becomes of them."""
        cut = (torch.rand(len(masks), generator=rng) < self.split).tolist()
        parts = [
            part
            for mask, two in zip(masks, cut, strict=True)
            for part in (halves(mask, rng) if two else [mask])
        ]
        parts = [parts[i] for i in torch.randperm(len(parts), generator=rng).tolist()]
        for _ in range(round(self.merged * len(parts) / 2)):  # a pair goes to the end as one
            parts = [*parts[2:], parts[0] | parts[1]]
        count = self.count if self.count and parts else len(parts)
        while len(parts) > count:
            parts = [*parts[2:], parts[0] | parts[1]]
        while len(parts) < count:
            sizes = [int(part.sum()) for part in parts]
            if max(sizes) < 2:
                break
            parts += halves(parts.pop(sizes.index(max(sizes))), rng)
        return parts


def read_mask(path: Path) -> np.ndarray:
    """A binary mask (H, W) bool from a picture, grey or colour, of 8 or 16 bits; what is not 0 is
    inside.

    Raises:
        ValueError: an empty file, no picture, or one with alpha.
    """
    content = np.frombuffer(path.read_bytes(), np.uint8)
    mask = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
    if mask is None:
        what = 'cannot be decoded' if len(content) else 'is empty'
    elif mask.ndim == 3 and mask.shape[2] == 4:
        what = 'has an alpha channel, so that two things in it could be the mask'
    else:
        return mask > 0 if mask.ndim == 2 else (mask > 0).any(axis=2)
    raise ValueError(f'mask file {path} {what}. Write it again, as a grey PNG with 0 outside.')


def run_lengths(code: str | bytes) -> list[int]:
    """The runs of a compressed COCO code: 5 bits a character from 48 on, lowest first, a sign in
    the last; from the fourth run on, what it is longer than the one two before."""
    runs, value, bits = [], 0, 0
    for character in code.encode() if isinstance(code, str) else code:
        part = character - 48
        value |= (part & 31) << bits
        bits += 5
        if not part & 32:
            value -= (part & 16 and 1) << bits
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = bits = 0
    return runs


def decode_runs(segmentation: Mapping) -> np.ndarray:
    """dict(size=[H, W], counts=...) -> (H, W) bool; runs of 0 and 1 down the columns, 0 first."""
    (height, width), counts = segmentation['size'], segmentation['counts']
    runs = counts if isinstance(counts, list) else run_lengths(counts)
    # pycocotools would fill what is missing with whatever lies in memory
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f'its runs are {sum(runs)} pixels long, its size is {height} x {width}')
    return np.repeat(np.arange(len(runs)) % 2 > 0, runs).reshape(width, height).T


def decode_polygons(polygons: Sequence, size: tuple[int, int]) -> np.ndarray:
    """Polygons [x, y, x, y, ...], in pixels -> (H, W) bool."""
    from pycocotools import mask as coco

    for one in polygons:
        places = np.asarray(one, float)
        # pycocotools would never come back from NaN, or from a place far away
        if places.ndim != 1 or len(places) < 6 or not (abs(places) <= 10 * max(size)).all():
            raise ValueError('a polygon needs three points or more, [x, y, x, y, ...], in pixels')
    return coco.decode(coco.merge(coco.frPyObjects(polygons, *size))).astype(bool)


def decode_segmentation(
    segmentation: Mapping | Sequence, size: tuple[int, int], where: str
) -> np.ndarray:
    """A COCO run-length code, compressed or not, or polygons -> (H, W) bool.

    Raises:
        ValueError: it cannot be decoded; names `where` it is.
    """
    try:
        if isinstance(segmentation, Mapping):
            return decode_runs(segmentation)
        if not isinstance(segmentation, list) or not segmentation:
            raise ValueError(f'it is {segmentation!r}')
        return decode_polygons(segmentation, size)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{where}: the segmentation cannot be decoded ({type(error).__name__}: {error}). '
            "Legal: COCO's dict(size=[H, W], counts=...) or polygons."
        ) from error


class MaskFolder:
    """FOLDER/<photo's name without suffix>/*.png, one binary mask each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, photo: Path, size: tuple[int, int]) -> tuple[list[np.ndarray], list[float]]:
        """Masks (h, w) bool of a photo, and the score of each."""
        place = self.folder / photo.stem
        if not place.is_dir():
            raise FileNotFoundError(
                f'no masks of {photo}: there is no folder {place}. Make it, empty '
                'if the photo has no proposal.'
            )
        masks = [read_mask(path) for path in sorted(place.glob('*.png'))]
        return masks, [1.0] * len(masks)


class MaskJson:
    """A COCO json: `images` with `id` and `file_name`, `annotations` with `image_id`,
    `segmentation` and, if they have one, `score`."""

    def __init__(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            stems = [Path(one['file_name']).stem for one in content['images']]
            ids = [one['id'] for one in content['images']]
            self.rows = {i: [] for i in ids}
            for one in content['annotations']:
                score = float(one.get('score', 1.0))
                if one['image_id'] not in self.rows or not math.isfinite(score):
                    raise ValueError(
                        f'an annotation has image_id {one["image_id"]!r}, of {len(ids)} images, '
                        f'and score {score}'
                    )
                self.rows[one['image_id']].append((one['segmentation'], score))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f'{path} is no COCO json of masks ({type(error).__name__}: {error}). Legal: '
                '{"images": [{"id", "file_name"}], "annotations": [{"image_id", "segmentation", '
                '"score"}]}.'
            ) from error
        for what, values in (('names', stems), ('ids', ids)):
            twins = [value for value, count in Counter(values).items() if count > 1]
            if twins:
                raise ValueError(
                    f'{path} lists {len(twins)} {what} of photos twice, the first {twins[0]!r}: '
                    f'which masks are whose is not known. Give each photo {what} of its own.'
                )
        self.ids = dict(zip(stems, ids, strict=True))
        self.path = path

    def __call__(self, photo: Path, size: tuple[int, int]) -> tuple[list[np.ndarray], list[float]]:
        if photo.stem not in self.ids:
            raise FileNotFoundError(
                f'no masks of {photo}: {self.path} lists {len(self.ids)} images, '
                f'none of them called {photo.stem!r}.'
            )
        rows = self.rows[self.ids[photo.stem]]
        where = f'{self.path}, image {photo.name}'
        return [decode_segmentation(one, size, where) for one, _ in rows], [s for _, s in rows]


@MODELS.register_module()
class FileProposals(BaseModule):
    """Proposals of whole photos from files, for tests: a training crop does not know its place.

    Args:
        path: a folder with a folder of PNG masks for each photo, see `MaskFolder`; or a COCO json,
            see `MaskJson`.

    Raises:
        FileNotFoundError: nothing there, or (by `forward`) nothing for a photo.
        ValueError: by `forward`, an empty or unreadable mask,
            or one of another size than its photo.
    """

    needs_labels = False
    of_whole_photos = True
    statistics = None

    def __init__(self, path: str | Path, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(
                f'no proposals: {path} does not exist. Legal: a folder with one '
                'folder of PNG masks a photo, or a COCO json.'
            )
        self.read = MaskFolder(path) if path.is_dir() else MaskJson(path)

    def forward(
        self,
        img: Tensor,
        metas: Sequence[Mapping],
        text: Tensor,
        labels: Sequence[Tensor] | None = None,
    ) -> list[Proposals]:
        out = []
        for meta in metas:
            photo, size = Path(meta['img_path']), tuple(meta['ori_shape'][:2])
            masks, scores = self.read(photo, size)
            for mask in masks:
                if mask.shape != size:
                    raise ValueError(
                        f'a mask of {photo} is {" x ".join(map(str, mask.shape))} pixels, the '
                        f'photo {size[0]} x {size[1]}. Store masks at the size of their photo.'
                    )
            stack = np.stack(masks) if masks else np.zeros((0, *size), bool)
            masks = torch.from_numpy(stack).to(img)
            out.append(
                Proposals(
                    input_masks(masks, meta, tuple(img.shape[2:])),
                    masks.new_tensor(scores).clamp(0, 1),
                )
            )
        return out
