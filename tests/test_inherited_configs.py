"""`_base_ = 'mmseg_zsclip::...'` in a config anywhere."""
import pytest
from mmengine.config import Config

from mmseg_zsclip import compat
from mmseg_zsclip.apis.configs import ConfigNotFoundError, find_config


@pytest.mark.parametrize('base', [
    'zegclip/toy_inductive.py', 'configs/zegclip/toy_inductive.py', 'toy_inductive'])
def test_a_config_anywhere_inherits_a_shipped_one(tmp_path, base):
    (tmp_path / 'mine.py').write_text(
        f"_base_ = 'mmseg_zsclip::{base}'\ntrain_cfg = dict(max_iters=7)\n")
    mine = Config.fromfile(tmp_path / 'mine.py')
    theirs = Config.fromfile(find_config('toy_inductive'))
    assert mine.train_cfg.max_iters == 7
    theirs.train_cfg.max_iters = 7
    assert mine.to_dict() == theirs.to_dict()


def test_parts_of_configs_can_be_inherited_too(tmp_path):
    (tmp_path / 'mine.py').write_text("_base_ = ['mmseg_zsclip::_base_/default_runtime.py']\n")
    assert Config.fromfile(tmp_path / 'mine.py').default_scope == 'mmseg'


def test_an_unknown_base_names_the_nearest_and_a_path_cannot_leave_the_configs(tmp_path):
    for base in ('toy_inductiv', '../setup.py'):
        (tmp_path / 'mine.py').write_text(f"_base_ = 'mmseg_zsclip::{base}'\n")
        with pytest.raises(ConfigNotFoundError, match='Nearest shipped'):
            Config.fromfile(tmp_path / 'mine.py')


def test_other_packages_are_found_as_before_and_setup_runs_twice(tmp_path):
    compat.inherit_shipped_configs()
    (tmp_path / 'mine.py').write_text("_base_ = 'mmseg::_base_/default_runtime.py'\n")
    assert Config.fromfile(tmp_path / 'mine.py').log_level == 'INFO'
