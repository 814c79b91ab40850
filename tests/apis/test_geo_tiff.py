"""Rasters with coordinates, in windows."""

import sys

import numpy as np
import pytest

from mmseg_zsclip.apis import geo_tiff
from mmseg_zsclip.apis.geo_tiff import segment_geotiffs, windows
from mmseg_zsclip.apis.segment_photos import Job
from mmseg_zsclip.cli import main


@pytest.fixture
def rasterio():
    return pytest.importorskip('rasterio', reason='rasterio is missing: pip install rasterio')


def job(seen=None, classes=('dark', 'bright')):
    def segment(photos):
        if seen is not None:
            seen.extend(one.shape for one in photos)
        return [one[..., 0] > 127 for one in photos]

    return Job(segment, classes, [[9, 9, 9], [200, 100, 50]], {}, ['geotiff'])


@pytest.fixture
def raster(rasterio, tmp_path):
    """Of 300 x 200 pixels and three bands in UTM 32; its first row has no data."""
    path = tmp_path / 'scene.tif'
    values = np.random.default_rng(0).integers(1, 256, (3, 200, 300), np.uint8)
    values[:, 0] = 0
    with rasterio.open(
        path,
        'w',
        driver='GTiff',
        width=300,
        height=200,
        count=3,
        dtype='uint8',
        crs='EPSG:32632',
        transform=rasterio.Affine(0.5, 0, 400000, 0, -0.5, 5600000),
        nodata=0,
    ) as file:
        file.write(values)
    return path


def test_labels_keep_the_coordinates_and_memory_holds_a_window(
    rasterio, raster, tmp_path, monkeypatch
):
    monkeypatch.setattr(geo_tiff, 'WINDOW', 128)
    monkeypatch.setattr(geo_tiff, 'MARGIN', 16)
    seen = []
    outcome = segment_geotiffs([str(raster)], tmp_path / 'out', job(seen))
    assert (outcome.segmented, outcome.failed) == (1, {})
    assert len(seen) == 2 * 3
    assert max(max(shape) for shape in seen) <= 128 + 2 * 16
    with rasterio.open(raster) as photo, rasterio.open(tmp_path / 'out/geotiff/scene.tif') as found:
        assert (found.crs, found.transform) == (photo.crs, photo.transform)
        assert (found.dtypes, found.nodata) == (('uint8',), 255)
        expected = (photo.read(1) > 127).astype(np.uint8)
        expected[0] = 255
        assert (found.read(1) == expected).all()
        assert found.colormap(1)[1][:3] == (200, 100, 50)
    assert segment_geotiffs([str(raster)], tmp_path / 'out', job([])).segmented == 0
    assert not list((tmp_path / 'out').rglob('.*'))


def test_windows_cover_a_raster_once(monkeypatch):
    monkeypatch.setattr(geo_tiff, 'WINDOW', 7)
    monkeypatch.setattr(geo_tiff, 'MARGIN', 3)
    count = np.zeros((20, 31), int)
    for inner, outer in windows(20, 31):
        count[tuple(slice(*side) for side in inner)] += 1
        for (a, b), (first, last), full in zip(inner, outer, (20, 31), strict=True):
            assert (first, last) == (max(a - 3, 0), min(b + 3, full))
    assert (count == 1).all()


def test_what_is_no_raster_is_named_and_the_others_are_done(rasterio, raster, tmp_path):
    (tmp_path / 'note.tif').write_text('no raster')
    with rasterio.open(raster) as photo:
        profile = dict(photo.profile, dtype='float32')
        with rasterio.open(tmp_path / 'heights.tif', 'w', **profile) as file:
            file.write(photo.read().astype(np.float32))
    names = ('note.tif', 'heights.tif', 'scene.tif')
    outcome = segment_geotiffs([str(tmp_path / name) for name in names], tmp_path / 'out', job())
    assert outcome.segmented == 1
    assert set(outcome.failed) == {str(tmp_path / name) for name in names[:2]}
    assert 'holds float32' in outcome.failed[str(tmp_path / 'heights.tif')]


def test_the_command_writes_a_raster_of_the_toy_model(rasterio, raster, tmp_path, capsys):
    words = ['segment', str(raster), '--classes', 'sky; tree', '--model', 'toy']
    words += ['--out', str(tmp_path / 'out'), '--format', 'geotiff']
    assert main(words) == 0
    assert '1 segmented' in capsys.readouterr().out
    with rasterio.open(tmp_path / 'out' / 'geotiff' / 'scene.tif') as found:
        assert set(np.unique(found.read(1)[1:])) <= {0, 1}
    with pytest.raises(SystemExit, match='geotiff has no --engine ray'):
        main([*words, '--engine', 'ray'])


def test_without_rasterio_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rasterio', None)
    with pytest.raises(ImportError, match=r'need rasterio .*: pip install "mmseg_zsclip\[geo\]"'):
        segment_geotiffs([], tmp_path / 'out', job())
