"""`zsclip config`: a copy of a shipped config that needs nothing beside it."""

import pytest
from mmengine.config import Config

from mmseg_zsclip.apis.configs import find_config, shipped_configs
from mmseg_zsclip.cli import main
from mmseg_zsclip.cli.config import flattened

CONFIGS = [path.stem for path in shipped_configs()]


@pytest.mark.parametrize('name', CONFIGS)
def test_a_flattened_copy_is_the_same_config_without_its_bases(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'copy.py').write_text(flattened(name))
    assert '_base_' not in Config.fromfile('copy.py')
    assert Config.fromfile('copy.py').to_dict() == Config.fromfile(find_config(name)).to_dict()


def test_a_copy_elsewhere_loads_and_nothing_is_overwritten_unasked(tmp_path, capsys):
    out = tmp_path / 'new folder' / 'mine.py'
    assert main(['config', 'toy_inductive', '--out', str(out)]) == 0
    assert Config.fromfile(out).model.type == 'mmseg_zsclip.OneStageSegmentor'
    with pytest.raises(SystemExit, match='exists'):
        main(['config', 'toy_inductive', '--out', str(out)])
    assert main(['config', 'toy_maskclip', '--out', str(out), '--force']) == 0
    assert 'MaskCLIPHead' in out.read_text()
    capsys.readouterr()
    assert main(['config', 'toy_maskclip']) == 0
    assert out.read_text().strip() == capsys.readouterr().out.strip()


def test_an_unknown_config_names_the_nearest():
    with pytest.raises(SystemExit, match='toy_inductive'):
        main(['config', 'toy_inductiv'])
