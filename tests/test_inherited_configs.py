"""`_base_ = 'mmseg_zsclip::...'` in a config anywhere."""

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmseg_zsclip import compat
from mmseg_zsclip.apis.configs import ConfigNotFoundError, find_config
from mmseg_zsclip.registry import DATASETS, METRICS
from mmseg_zsclip.vocabulary.lists import load_unseen, split_indices


@pytest.mark.parametrize(
    'base', ['zegclip/toy_inductive.py', 'configs/zegclip/toy_inductive.py', 'toy_inductive']
)
def test_a_config_anywhere_inherits_a_shipped_one(tmp_path, base):
    (tmp_path / 'mine.py').write_text(
        f"_base_ = 'mmseg_zsclip::{base}'\ntrain_cfg = dict(max_iters=7)\n"
    )
    mine = Config.fromfile(tmp_path / 'mine.py')
    theirs = Config.fromfile(find_config('toy_inductive'))
    assert mine.train_cfg.max_iters == 7
    theirs.train_cfg.max_iters = 7
    assert mine.to_dict() == theirs.to_dict()


def test_parts_of_configs_can_be_inherited_too(tmp_path):
    (tmp_path / 'mine.py').write_text("_base_ = ['mmseg_zsclip::_base_/default_runtime.py']\n")
    assert Config.fromfile(tmp_path / 'mine.py').default_scope == 'mmseg'


def test_an_unknown_base_names_the_nearest_and_a_path_cannot_leave_the_configs(tmp_path):
    for base, says in (('toy_inductiv', 'Nearest shipped: toy_ind'), ('../setup.py', 'no config')):
        (tmp_path / 'mine.py').write_text(f"_base_ = 'mmseg_zsclip::{base}'\n")
        with pytest.raises(ConfigNotFoundError, match=says):
            Config.fromfile(tmp_path / 'mine.py')


def test_other_packages_are_found_as_before_and_setup_runs_twice(tmp_path):
    compat.inherit_shipped_configs()
    (tmp_path / 'mine.py').write_text("_base_ = 'mmseg::_base_/default_runtime.py'\n")
    assert Config.fromfile(tmp_path / 'mine.py').log_level == 'INFO'


def test_a_config_that_tells_every_part_its_lists_is_read_as_before(tmp_path):
    (tmp_path / 'mine.py').write_text("""
_base_ = 'mmseg_zsclip::zegclip/toy_inductive.py'
load = dict(type='mmseg_zsclip.LoadLabels', classes={{_base_.classes}})
hide = dict(type='mmseg_zsclip.HideUnseen', classes={{_base_.classes}}, unseen={{_base_.unseen}},
            mode='inductive')
train_dataloader = dict(dataset=dict(
    _delete_=True, type='mmseg_zsclip.hide_labels', mode='transductive',
    dataset=dict(type='mmseg_zsclip.ToyDataset', length=2,
                 pipeline=[dict(type='LoadImageFromFile'), load, hide])))
val_evaluator = dict(unseen={{_base_.unseen}})
""")
    cfg = Config.fromfile(tmp_path / 'mine.py')
    init_default_scope('mmseg')
    data = DATASETS.build(cfg.train_dataloader.dataset)
    labels = np.stack([data[i]['gt_seg_map'] for i in range(2)])
    unseen = split_indices(data.metainfo['classes'], load_unseen('toy'))[1]
    assert (labels == -1).any()
    assert not np.isin(labels, unseen).any()
    metric = METRICS.build(cfg.val_evaluator)
    metric.dataset_meta = DATASETS.build(cfg.val_dataloader.dataset).metainfo
    assert metric.unseen == unseen
