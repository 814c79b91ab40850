"""Curves are read from the log that MMEngine writes, and drawn without a library."""

import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from mmengine.hooks import LoggerHook
from mmengine.visualization import LocalVisBackend

from mmseg_zsclip.experiments.report.curves import HEIGHT, line_chart, nice_ticks, read_curves


def write_log(folder, rows):
    """As MMEngine's LoggerHook does."""
    backend = LocalVisBackend(str(folder / 'vis_data'))
    for step, row in rows:
        backend.add_scalars(row, step=step, file_path=f'{folder.name}.json')


def test_mmengine_still_gives_a_step_to_every_row_of_scalars_json():
    assert LoggerHook().log_metric_by_epoch  # our configs switch it off: steps, not epochs


def test_loss_and_validation_are_read_from_mmengines_own_log(tmp_path):
    write_log(
        tmp_path / '20260101_000000',
        [
            (10, dict(loss=9.0, lr=1e-3)),
            (20, dict(loss=8.0)),
            (20, {'mIoU': 5.0, 'mIoU(S)': 6.0, 'mIoU(U)': 4.0, 'hIoU': 4.8}),
        ],
    )
    curves = read_curves(tmp_path)
    assert curves.loss == [(10, 9.0), (20, 8.0)]
    assert curves.validated == {'mIoU(S)': [(20, 6.0)], 'mIoU(U)': [(20, 4.0)], 'hIoU': [(20, 4.8)]}


def test_a_training_that_was_killed_and_resumed_has_one_curve(tmp_path):
    write_log(tmp_path / '20260101_000000', [(10, dict(loss=9.0)), (20, dict(loss=8.0))])
    (tmp_path / '20260101_000000/vis_data/scalars.json').open('a').write('{"loss": 7')
    write_log(tmp_path / '20260101_000100', [(20, dict(loss=8.5)), (30, dict(loss=7.5))])
    assert read_curves(tmp_path).loss == [(10, 9.0), (20, 8.5), (30, 7.5)]


def test_a_test_outside_of_training_is_no_point_of_the_curve(tmp_path):
    write_log(tmp_path / 'run', [(10, dict(loss=9.0)), (0, {'mIoU': 40.0, 'hIoU': 30.0})])
    assert read_curves(tmp_path).validated == {}


def test_a_folder_without_a_training_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=f'no loss in {tmp_path}: found 0 files .*scalars.json'
        r".*training's own work folder",
    ):
        read_curves(tmp_path)
    path = tmp_path / 'run/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(dict(lr=1)) + '\n')
    with pytest.raises(FileNotFoundError, match='found 1 files'):
        read_curves(tmp_path)


def test_chart_names_every_line_inside_its_frame_and_escapes_them():
    chart = line_chart(
        {'a<b': [(1, 0.0), (2, 0.0)], 'c': [(1, 0.0), (2, 0.0)], 'd': [(2, 0.1)]}, 'x & y', '%'
    )
    root = ElementTree.fromstring(chart)
    labels = {text.text: float(text.get('y')) for text in root.findall('g/text')}
    assert list(labels) == ['a<b', 'c', 'd']
    heights = sorted(labels.values())
    assert all(b - a >= 13 for a, b in pairwise(heights))
    assert heights[0] > 0
    assert heights[-1] < HEIGHT
    assert re.search('<title>x &amp; y</title>', chart)


@pytest.mark.parametrize(('low', 'high'), [(0, 1), (0, 54.3), (0, 0.003), (0, 0), (-2, 7)])
def test_ticks_cover_the_values_and_are_few(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 8
