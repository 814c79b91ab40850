"""Every shipped config, from an empty directory: parsed, complete, buildable on a CPU."""

from collections import Counter
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

import mmseg_zsclip
from mmseg_zsclip.apis.configs import config_root, shipped_configs
from mmseg_zsclip.apis.launch import set_weights

CONFIGS = shipped_configs()
PACKAGE = Path(mmseg_zsclip.__file__).parent


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / 'data' / 'own'  # a config for one's own data reads the names from there
    own.mkdir(parents=True)
    (own / 'classes.txt').write_text('road\ndog\n')
    (own / 'unseen.txt').write_text('dog\n')
    return Config.fromfile(request.param)


def test_configs_were_found():
    assert CONFIGS


def test_x_is_not_in_the_mmseg_registry_cannot_happen(config):
    assert config.default_scope == 'mmseg'
    assert 'mmseg_zsclip' in config.custom_imports.imports


def test_config_says_what_a_run_needs(config):
    for key in (
        'model',
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'train_cfg',
        'val_evaluator',
        'test_evaluator',
        'optim_wrapper',
        'env_cfg',
        'randomness',
    ):
        assert key in config, key
    assert config.log_processor.by_epoch is False
    assert config.default_hooks.checkpoint.by_epoch is False


def test_a_killed_run_loses_a_tenth_of_it_at_most(config):
    if config.optim_wrapper is None:
        pytest.skip('nothing to train')
    interval = config.default_hooks.checkpoint.interval
    share = interval if isinstance(interval, float) else interval / config.train_cfg.max_iters
    assert 0 < share <= 0.1


def test_model_builds_without_weights_or_data(config):
    init_default_scope('mmseg')
    set_weights(config, None)
    model = MODELS.build(config.model)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    assert (trained > 0) == (config.optim_wrapper is not None)
    tower = config.model.get('classifier') or config.model.backbone
    clip = tower.type.startswith('mmseg_zsclip.')
    whole = tower.get('finetune', False) or 'PixelText' in tower.type  # all of CLIP trains
    assert (frozen > 0) == (clip and not whole)


def test_data_sets_of_a_config_name_the_same_classes_as_its_model(config):
    words = (
        config.model.get('decode_head') or config.model
    )  # a model of two stages has no such head
    assert words.classes == config.classes
    fully = '_fully' in Path(config.filename).stem
    assert words.get('unseen', 'none') == ('none' if fully else config.unseen)


def test_mim_finds_one_file_of_each_name():
    """mim searches the whole package, our modules included, for a config's bare file name."""
    everything = {path.resolve() for path in (*config_root().rglob('*.py'), *PACKAGE.rglob('*.py'))}
    count = Counter(path.name for path in everything)
    doubles = [path for path in CONFIGS if count[path.name] > 1]
    assert doubles == []


def test_inheritance_is_at_most_two_levels_deep():
    def depth(path: Path) -> int:
        bases = Config._get_base_files(str(path))
        return 1 + max((depth(path.parent / base) for base in bases), default=0)

    assert {path.name: depth(path) for path in CONFIGS if depth(path) > 3} == {}
