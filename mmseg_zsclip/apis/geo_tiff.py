"""GeoTIFFs of any size to label maps with their coordinates, a window at a time."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from ..annotations.writers import made
from ..datasets.photo_pixels import array_pixels
from ..engine.progress import ProgressBar
from ..files import whole_file
from ..vocabulary.labels import ignore_index
from .segment_photos import Job, Outcome, noted, results_folder

FORMAT = 'geotiff'
WINDOW = 1024  # pixels of a side
MARGIN = 64  # pixels around a window that the model sees too, so that its edges have a context


def segment_geotiffs(paths: Sequence[str], out: str | os.PathLike, job: Job) -> Outcome:
    """Writes `out/geotiff/NAME.tif` for every raster: a band of labels with its colours, no class
    as nodata, CRS and transform of the raster. One that is there is done.

    A raster is read and written in windows of 1024 pixels with a margin of 64, so that memory holds
    one window and what the model needs for it, whatever the raster's size.

    Args:
        paths: absolute, each once. One that cannot be read is passed over, and named in the
            outcome. The first three bands are red, green and blue, of 8 or 16 bits; a single one
            is grey. Pixels without data are of no class.

    Raises:
        ImportError: see `needed_rasterio`.
        ValueError, RunError, WriteError: see `segment_photos`.
    """
    rasterio = needed_rasterio()
    out, outcome, start = Path(out).absolute(), Outcome(), time.perf_counter()
    asked = set(paths)
    with results_folder(out):
        for photo in noted(paths, out, job):
            target = out / FORMAT / f'{photo.name}.tif'
            if photo.path not in asked or target.exists():
                continue
            try:
                outcome.model_seconds += segmented(photo.path, made(target), job)
                outcome.segmented += 1
            except (rasterio.errors.RasterioIOError, ValueError) as error:
                outcome.failed[photo.path] = str(error)
    outcome.seconds = time.perf_counter() - start
    return outcome


def needed_rasterio() -> ModuleType:
    """rasterio; to be asked for before a model is fetched.

    Raises:
        ImportError: rasterio is not installed; says how to install it.
    """
    try:
        import rasterio
    except ImportError as error:
        raise ImportError(
            f'GeoTIFFs need rasterio ({error}): pip install "mmseg_zsclip[geo]"'
        ) from error
    return rasterio


def segmented(source: str, target: Path, job: Job) -> float:
    """Writes the labels of one raster; returns the model's seconds.

    Raises:
        ValueError: bands of another type; not read, or written, to the end.
        RasterioIOError: no raster.
    """
    import rasterio

    ignored, seconds = ignore_index(max(len(job.classes), 2)), 0.0
    with rasterio.open(source) as raster:
        options = dict(
            driver='GTiff',
            width=raster.width,
            height=raster.height,
            count=1,
            dtype='uint8' if ignored < 256 else 'uint16',
            crs=raster.crs,
            transform=raster.transform,
            nodata=ignored,
            tiled=True,
            compress='deflate',
            BIGTIFF='IF_SAFER',
        )
        places = list(windows(raster.height, raster.width))
        bar = ProgressBar(Path(source).name, len(places))
        with whole_file(target) as half, rasterio.open(half, 'w', **options) as labels:
            if ignored < 256:
                labels.write_colormap(1, dict(enumerate(map(tuple, job.palette))))
            for done, (inner, outer) in enumerate(places, 1):
                pixels, known = read(raster, outer)
                start = time.perf_counter()
                found = np.asarray(job.segment([pixels])[0])
                seconds += time.perf_counter() - start
                bad = ~known | (found < 0) | (found >= len(job.classes))
                found = np.where(bad, ignored, found)[within(inner, outer)]
                labels.write(found.astype(options['dtype']), 1, window=inner)
                bar.update(done)
        bar.close()
    return seconds


Window = tuple[tuple[int, int], tuple[int, int]]  # first and last (exclusive) row, and column


def windows(height: int, width: int) -> Iterator[tuple[Window, Window]]:
    """Windows that cover a raster once, and each with its margin."""
    for top in range(0, height, WINDOW):
        for left in range(0, width, WINDOW):
            ends = (min(top + WINDOW, height), min(left + WINDOW, width))
            inner = (top, ends[0]), (left, ends[1])
            sides = zip(inner, (height, width), strict=True)
            outer = tuple((max(a - MARGIN, 0), min(b + MARGIN, full)) for (a, b), full in sides)
            yield inner, outer


def within(inner: Window, outer: Window) -> tuple[slice, slice]:
    """Where `inner` lies in an array of `outer`."""
    return tuple(
        slice(a - first, b - first) for (a, b), (first, _) in zip(inner, outer, strict=True)
    )


def read(raster, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (h, w, 3) uint8, RGB, and whether each has data, (h, w)."""
    bands = [1, 2, 3] if raster.count >= 3 else [1]
    values = np.moveaxis(raster.read(bands, window=window), 0, -1)
    return np.ascontiguousarray(array_pixels(values)), raster.dataset_mask(window=window) > 0
