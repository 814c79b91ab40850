"""Numbers of a config that MMEngine and PyTorch take without a word, or refuse in the middle."""

import multiprocessing
from numbers import Real

from mmengine.config import Config

SEEDS = 2**32
# entry -> the least whole number and the one above the last
WHOLE = {
    **{f'{name}_dataloader.batch_size': (1, None) for name in ('train', 'val', 'test')},
    **{f'{name}_dataloader.num_workers': (0, None) for name in ('train', 'val', 'test')},
    'train_cfg.max_iters': (1, None),
    'train_cfg.max_epochs': (1, None),
    'train_cfg.val_interval': (1, None),
    'default_hooks.logger.interval': (1, None),
    'optim_wrapper.accumulative_counts': (1, None),
    'randomness.seed': (0, SEEDS),
    'model.data_preprocessor.size_divisor': (1, None),
    'model.data_preprocessor.test_cfg.size_divisor': (1, None),
}
NUMBERS = ('optim_wrapper.optimizer.lr',)
WORDS = {
    'log_level': ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'),
    'env_cfg.mp_cfg.mp_start_method': tuple(multiprocessing.get_all_start_methods()),
    'sync_bn': ('torch', 'mmcv'),
    'resume': (True, False),
}


def check_values(cfg: Config) -> None:
    """That the numbers of a config by which a run is begun are such.

    Raises:
        ValueError: one is not, with its entry and the legal ones.
    """
    for entry, (least, end) in WHOLE.items():
        value = value_of(cfg, entry)
        whole = _is_number(value) and value == value // 1
        if value is not None and not (whole and least <= value and (end is None or value < end)):
            most = '' if end is None else f', below {end}'
            raise ValueError(f'{entry} is {value!r}; legal: whole numbers from {least} on{most}.')
    for entry in NUMBERS:
        value = value_of(cfg, entry)
        if value is not None and not (_is_number(value) and 0 <= value < float('inf')):
            raise ValueError(f'{entry} is {value!r}; legal: numbers from 0 on.')
    for entry, legal in WORDS.items():
        value = value_of(cfg, entry)
        if value is not None and value not in legal:
            raise ValueError(f'{entry} is {value!r}; legal: {", ".join(map(str, legal))}.')


def value_of(cfg: Config, entry: str):
    """What `a.b` holds, None where there is no such entry."""
    node = cfg
    for name in entry.split('.'):
        node = node.get(name) if isinstance(node, dict | Config) else None
    return node


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
