"""The worked examples of docs/add_a_dataset.md do what the page says."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_zsclip.apis.configs import config_root
from mmseg_zsclip.cli import main
from mmseg_zsclip.datasets import base
from mmseg_zsclip.registry import DATASETS
from mmseg_zsclip.vocabulary import lists

PAGE = (Path(__file__).parents[2] / 'docs' / 'add_a_dataset.md').read_text()


def block(name: str) -> str:
    """The indented text below its first line `# name`."""
    (found,) = re.findall(
        rf'^    # {re.escape(name)}\n((?:    .*\n|\n(?=    [^#\n]))+)', PAGE, re.MULTILINE
    )
    return textwrap.dedent(found)


def photos(root: Path, *folders: str) -> None:
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for name in 'ab':
            values = np.array([[0, 1], [2, 0]], np.uint8)
            Image.fromarray(values if 'labels' in folder else np.stack([values] * 3, -1)).save(
                root / folder / f'{name}.png'
            )


def test_photos_of_another_layout(tmp_path, capsys):
    photos(tmp_path, '2024/photos', '2024/labels', '2025/photos', '2025/labels')
    config = tmp_path / 'my_photos.py'
    config.write_text(block('my_photos.py').replace('/data/mine', str(tmp_path)))
    main(['check', str(config)])
    out = capsys.readouterr().out
    assert 'train: 2 of 2 photos are whole' in out
    assert '1 classes are unseen (dog): HideUnseen takes them as inductive.' in out
    assert Config.fromfile(config).model.decode_head.unseen == ['dog']


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """The data set of the page: its lists, its class, its configs beside copies of ours."""
    names = tmp_path / 'names'
    names.mkdir()
    for path in lists.NAMES_DIR.glob('*.txt'):
        (names / path.name).write_text(path.read_text())
    (names / 'desk.txt').write_text('table\nlamp, light\nmug\n')
    (names / 'desk.unseen.txt').write_text('mug\n')
    monkeypatch.setattr(lists, 'NAMES_DIR', names)
    source = block('mmseg_zsclip/datasets/benchmarks.py')
    exec(source, dict(DATASETS=DATASETS, SegDataset=base.SegDataset, metainfo=base.metainfo))  # noqa: S102
    configs = tmp_path / 'configs'
    for path in (config_root() / '_base_').rglob('*.py'):
        place = configs / path.relative_to(config_root())
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path.read_text())
    (configs / 'zegclip').mkdir()
    for folder, name in (('_base_/datasets', 'desk.py'), ('zegclip', 'desk_inductive.py')):
        (configs / folder / name).write_text(block(f'{name}, in configs/{folder}'))
    photos(tmp_path / 'desk', 'photos/train', 'labels/train', 'photos/val', 'labels/val')
    monkeypatch.setenv('ZSCLIP_DESK', str(tmp_path / 'desk'))
    yield configs / 'zegclip' / 'desk_inductive.py'
    DATASETS._module_dict.pop('DeskDataset')


def test_a_new_benchmark_set(desk, capsys):
    main(['check', str(desk)])
    printed = PAGE.rsplit('are hidden:\n\n', 1)[1]
    assert capsys.readouterr().out.endswith(textwrap.dedent(printed))
