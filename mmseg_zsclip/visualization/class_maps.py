"""Where each class query looks: a picture per test image, the classes' scores side by side."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageOps

from .fonts import font_for
from .overlays import PictureHook, Shown, label_maps, read_photo
from .paint import SCALE, elide, paint, short_name

SIDE = 384  # of a tile, pixels
TITLE = 30
COLUMNS = 4


def tile(image: np.ndarray | Image.Image, title: str) -> Image.Image:
    """An RGB image (H, W, 3) uint8, its longer side scaled to `SIDE`, below its title."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image = ImageOps.contain(image, (SIDE, SIDE))
    out = Image.new('RGB', (image.width, image.height + TITLE), 'white')
    out.paste(image, (0, TITLE))
    font = font_for(title, 20)
    ImageDraw.Draw(out).text(
        (4, TITLE // 2), elide(title, font, out.width - 8), 'black', font, anchor='lm'
    )
    return out


def grid(tiles: Sequence[Image.Image], columns: int = COLUMNS) -> Image.Image:
    """Tiles of about one size, `columns` a row."""
    width, height = map(max, zip(*(one.size for one in tiles), strict=True))
    rows = -(-len(tiles) // columns)
    out = Image.new('RGB', (width * min(columns, len(tiles)), height * rows), 'white')
    for i, one in enumerate(tiles):
        out.paste(one, (i % columns * width, i // columns * height))
    return out


def heat(image: np.ndarray, scores: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scores (H, W) as colours, dark at `low`, yellow at `high`, over a grey (H, W, 3) image,
    RGB."""
    level = np.clip((scores - low) / max(high - low, 1e-12), 0, 1)
    colours = cv2.applyColorMap(np.uint8(255 * level), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    grey = image.mean(axis=2, keepdims=True)
    return np.uint8(0.75 * colours + 0.25 * grey)


class ClassMapsHook(PictureHook):
    """The image, its truth where there is one, the prediction, and the scores of the classes in
    either, those with most pixels first. One picture has one colour scale; names of unseen classes
    end with a star.

    Args:
        out_dir: created at the first image.
        limit: classes a picture.
    """

    def __init__(self, out_dir: str | Path, limit: int = 9) -> None:
        super().__init__(out_dir)
        self.limit = limit

    def picture(self, sample, shown: Shown, dataset: object = None) -> Image.Image:
        """Of one sample with `pred_sem_seg` and `seg_logits`.

        Raises:
            ValueError: no `seg_logits`.
        """
        sample, (classes, palette, unseen) = sample.cpu(), shown
        if 'seg_logits' not in sample:
            raise ValueError(
                'the model predicts labels alone, so there is no score to show: '
                'test_cfg.keep_scores is False. Remove it.'
            )
        image = read_photo(sample.img_path, dataset)
        maps = label_maps(sample, len(classes))
        tiles = [tile(image, Path(sample.img_path).stem)]
        for name, labels in maps.items():
            small = shrink(labels, SIDE // SCALE, cv2.INTER_NEAREST)
            tiles.append(tile(paint(small, classes, palette, unseen), name))
        shares = sum(
            np.bincount(labels[(labels >= 0) & (labels < len(classes))], minlength=len(classes))
            for labels in maps.values()
        )
        most = [i for i in np.argsort(-shares, kind='stable') if shares[i]][: self.limit]
        scores = sample.seg_logits.data[most].numpy()
        backdrop = shrink(image, SIDE)
        for i, one in zip(most, scores, strict=True):
            level = cv2.resize(one, backdrop.shape[1::-1])
            title = f'{short_name(classes, i, unseen)}  {one.min():.2f} to {one.max():.2f}'
            tiles.append(tile(heat(backdrop, level, scores.min(), scores.max()), title))
        return grid(tiles)


def shrink(array: np.ndarray, side: int, how: int = cv2.INTER_AREA) -> np.ndarray:
    """(H, W, ...) -> its longer side `side` pixels at most."""
    ratio = min(side / max(array.shape[:2]), 1)
    width, height = (max(round(ratio * n), 1) for n in array.shape[1::-1])
    kind = np.int32 if array.ndim == 2 else array.dtype
    return cv2.resize(array.astype(kind), (width, height), interpolation=how)
