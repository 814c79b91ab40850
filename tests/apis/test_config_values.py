"""Numbers and words of a config that no run can begin with."""

import pytest
from mmengine.config import Config

from mmseg_zsclip.apis.config_values import check_values
from mmseg_zsclip.apis.launch import load_config

CFG = dict(
    train_dataloader=dict(batch_size=2, num_workers=0),
    val_dataloader=None,
    train_cfg=dict(max_iters=10.0, val_interval=5),
    optim_wrapper=dict(optimizer=dict(lr=0.1)),
    randomness=dict(seed=None),
    log_level='INFO',
    env_cfg=dict(mp_cfg=dict(mp_start_method='spawn')),
)


def test_what_a_run_can_begin_with_passes():
    check_values(Config(CFG))
    check_values(Config())
    check_values(Config(dict(train_cfg=dict(max_epochs=3), randomness=dict(seed=2**32 - 1))))


@pytest.mark.parametrize(
    ('entry', 'value', 'legal'),
    [
        ('train_dataloader.batch_size', 0, 'whole numbers from 1 on'),
        ('train_dataloader.batch_size', 'two', 'whole numbers from 1 on'),
        ('train_dataloader.batch_size', 2.5, 'whole numbers from 1 on'),
        ('train_dataloader.batch_size', True, 'whole numbers from 1 on'),
        ('train_dataloader.num_workers', -1, 'whole numbers from 0 on'),
        ('train_cfg.max_iters', 0, 'whole numbers from 1 on'),
        ('train_cfg.max_iters', float('nan'), 'whole numbers from 1 on'),
        ('train_cfg.max_iters', float('inf'), 'whole numbers from 1 on'),
        ('train_cfg.val_interval', 0, 'whole numbers from 1 on'),
        ('optim_wrapper.optimizer.lr', -1, 'numbers from 0 on'),
        ('optim_wrapper.optimizer.lr', 'fast', 'numbers from 0 on'),
        ('randomness.seed', -1, 'whole numbers from 0 on, below 4294967296'),
        ('randomness.seed', 2**32, 'whole numbers from 0 on, below 4294967296'),
        ('log_level', 'LOUD', 'DEBUG, INFO, WARNING, ERROR, CRITICAL'),
        ('env_cfg.mp_cfg.mp_start_method', 'spwn', '.*spawn'),
        ('sync_bn', 'foo', 'torch, mmcv'),
        ('resume', 'maybe', 'True, False'),
    ],
)
def test_others_are_named_with_the_legal_ones(entry, value, legal):
    cfg = Config(CFG)
    cfg.merge_from_dict({entry: value})
    with pytest.raises(ValueError, match=f'{entry} is {value!r}; legal: {legal}'):
        check_values(cfg)


def test_a_config_is_looked_at_when_it_is_read():
    with pytest.raises(ValueError, match='train_cfg.max_iters is 0'):
        load_config('toy_inductive', options={'train_cfg.max_iters': 0})
