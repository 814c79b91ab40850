"""A picture per test image: photo, truth where there is one, prediction, and a legend."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from PIL import Image, ImageDraw, ImageFont

from ..datasets.base import distinct_colours
from ..datasets.output_names import OutputNames
from ..datasets.pipelines import pipelines
from ..engine.hooks import bare_model, vocabulary_of
from ..files import whole_file
from ..vocabulary.lists import canonical
from .fonts import font_for
from .paint import elide, paint, short_name

SMALLEST, LARGEST = 320, 768  # longer side of a panel, pixels
TITLE, ROW, GAP = 30, 24, 8
NARROWEST = 120  # panel: room for its title
LEGEND_WIDTH = 480  # at least
LISTED = 40  # classes in the legend


class Shown(NamedTuple):
    """Names, colours (RGB rows 0-255) and unseen names of the model under test."""

    classes: Sequence[str]
    palette: Sequence[Sequence[int]]
    unseen: Collection[str]


def shown_classes(runner: Runner) -> Shown:
    """The model's own, and the data set's for a model that has none."""
    model, data = bare_model(runner), runner.test_dataloader.dataset.metainfo
    own = getattr(model, 'dataset_meta', None) or {}
    classes = [canonical(name) for name in own.get('classes') or data['classes']]
    palette = own.get('palette')
    if palette is None or len(palette) != len(classes):
        same = classes == [canonical(name) for name in data['classes']]
        palette = data.get('palette') if same else None
    words = vocabulary_of(model)
    unseen = {classes[i] for i in words.unseen} if words else set()
    return Shown(classes, palette or distinct_colours(len(classes)), unseen)


def read_photo(path: str, dataset: object) -> np.ndarray:
    """(H, W, 3) uint8, RGB, read by the first step of the test pipeline, orientation included."""
    steps = (step for transforms in pipelines(dataset) for step in transforms)
    loader = next((step for step in steps if isinstance(step, LoadImageFromFile)), None)
    image = (loader or LoadImageFromFile()).transform(dict(img_path=path))['img']
    image = np.clip(image, 0, 255).astype(np.uint8)
    image = image if image.ndim == 3 else image[..., None].repeat(3, 2)
    return np.ascontiguousarray(image[..., 2::-1])


def label_maps(sample, num_classes: int) -> dict[str, np.ndarray]:
    """`truth`, unless no pixel of it is labelled, and `prediction`: (H, W) labels."""
    maps = {
        name: getattr(sample, key).data[0].cpu().numpy()
        for name, key in (('truth', 'gt_sem_seg'), ('prediction', 'pred_sem_seg'))
        if key in sample
    }
    truth = maps.get('truth')
    if truth is not None and not ((truth >= 0) & (truth < num_classes)).any():
        del maps['truth']
    return maps


def overlay(photo: np.ndarray, maps: Mapping[str, np.ndarray], shown: Shown) -> Image.Image:
    """Panels with titles, and a legend of the classes that are in them.

    Args:
        photo: (H, W, 3) uint8, RGB.
        maps: title -> labels, of any size; pixels of no class show the photo.
    """
    ratio = min(max(SMALLEST / max(photo.shape[:2]), 1), LARGEST / max(photo.shape[:2]))
    width, height = (max(round(n * ratio), 1) for n in photo.shape[1::-1])
    how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_NEAREST
    photo = cv2.resize(photo, (width, height), interpolation=how)
    tiles = {'photo': Image.fromarray(photo)}
    for title, labels in maps.items():
        rows, columns = (
            np.arange(n) * size // n for n, size in zip((height, width), labels.shape, strict=True)
        )
        tiles[title] = paint(labels[rows][:, columns], *shown, scale=1, photo=photo)
    step = max(width, NARROWEST) + GAP
    entries, note = legend_entries(maps, shown)
    total = max(step * len(tiles) - GAP, LEGEND_WIDTH)
    foot = legend(entries, note, shown, total)
    out = Image.new('RGB', (total, TITLE + height + foot.height), 'white')
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(20)
    for i, (title, tile) in enumerate(tiles.items()):
        draw.text((i * step + 4, TITLE // 2), title, 'black', font, anchor='lm')
        out.paste(tile, (i * step, TITLE))
    out.paste(foot, (0, TITLE + height))
    return out


def legend_entries(maps: Mapping[str, np.ndarray], shown: Shown) -> tuple[list[int], str]:
    """Classes in the maps, those with most pixels first, and what is said below them."""
    count = len(shown.classes)
    pixels = sum(
        (
            np.bincount(labels[(labels >= 0) & (labels < count)].astype(int), minlength=count)
            for labels in maps.values()
        ),
        np.zeros(count, int),
    )
    found = [int(i) for i in np.argsort(-pixels, kind='stable') if pixels[i]]
    notes = []
    if len(found) > LISTED:
        share = 100 * pixels[found[LISTED:]].sum() / pixels.sum()
        notes.append(f'and {len(found) - LISTED} more, {share:.1f} % of the pixels')
    if any(shown.classes[i] in shown.unseen for i in found):
        notes.append('* and stripes: unseen')
    return found[:LISTED], '; '.join(notes)


def legend(entries: Sequence[int], note: str, shown: Shown, width: int) -> Image.Image:
    """Swatches and names in columns of one width, names too long for theirs elided."""
    names = [short_name(shown.classes, i, shown.unseen) for i in entries]
    fonts = [font_for(name, 15) for name in names]
    widest = max((font.getlength(name) for font, name in zip(fonts, names, strict=True)), default=0)
    column = min(widest + 44, LEGEND_WIDTH / 2)
    per_row = max(int(width // column), 1)
    rows = -(-len(names) // per_row) + bool(note)
    out = Image.new('RGB', (width, rows * ROW + 2 * GAP), 'white')
    draw = ImageDraw.Draw(out)
    for at, (label, name) in enumerate(zip(entries, names, strict=True)):
        font = fonts[at]
        x, y = round(at % per_row * column), GAP + at // per_row * ROW
        swatch = paint(np.full((16, 24), label), *shown, names=False, scale=1)
        out.paste(swatch, (x + 4, y + 4))
        draw.text(
            (x + 34, y + ROW // 2), elide(name, font, column - 40), 'black', font, anchor='lm'
        )
    if note:
        font = font_for(note, 15)
        draw.text((4, (rows - 1) * ROW + GAP + ROW // 2), note, (90, 90, 90), font, anchor='lm')
    return out


class PictureHook(Hook):
    """Saves `<folder>/<name of the photo>.png` for every test image, see `OutputNames`; every
    process those of its own images. What is in them is `picture`."""

    priority = 'LOW'

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.names = OutputNames()

    def before_test(self, runner: Runner) -> None:
        self.names = OutputNames(runner.test_dataloader.dataset)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence | None = None
    ) -> None:
        shown, dataset = shown_classes(runner), runner.test_dataloader.dataset
        for sample in outputs:
            picture = self.picture(sample, shown, dataset)
            path = self.names.place(self.folder, sample.img_path, sample.get('seg_map_path'))
            with whole_file(path) as partial:
                picture.save(partial, format='PNG')

    def picture(self, sample, shown: Shown, dataset: object = None) -> Image.Image:
        """Of one sample; its photo is read as `dataset` reads it."""
        raise NotImplementedError


class OverlayHook(PictureHook):
    """Photo, truth and prediction with a legend, see `overlay`. No visualizer is asked."""

    def picture(self, sample, shown: Shown, dataset: object = None) -> Image.Image:
        photo = read_photo(sample.img_path, dataset)
        return overlay(photo, label_maps(sample, len(shown.classes)), shown)

    def after_test(self, runner: Runner) -> None:
        if is_main_process():
            runner.logger.info(f'overlays written to {self.folder}')
