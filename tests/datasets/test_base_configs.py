"""Every base config of a data set: parsed, consistent, and its loaders build."""
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.registry import DATASETS, METRICS
from mmseg_zsclip.vocabulary.labels import ignore_index
from mmseg_zsclip.vocabulary.lists import load_classes, load_unseen, split_indices

FOLDER = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
CONFIGS = sorted(FOLDER.glob('*.py'))


def leaves(dataset):
    return dataset.get('datasets', [dataset])


@pytest.fixture(params=CONFIGS, ids=lambda p: p.stem)
def config(request, tmp_path, monkeypatch):
    (tmp_path / 'classes.txt').write_text('cat, kitten\nsofa\n')
    (tmp_path / 'unseen.txt').write_text('cat\n')
    monkeypatch.setenv('ZSCLIP_DATA', str(tmp_path))  # read by own_data.py
    return Config.fromfile(request.param)


def test_there_are_base_configs():
    assert len(CONFIGS) >= 13


def test_config(config, tmp_path):
    init_default_scope('mmseg')
    classes = load_classes(config.classes)
    split_indices(classes, load_unseen(config.unseen))
    assert config.val_evaluator.unseen == config.test_evaluator.unseen == config.unseen
    METRICS.build(config.val_evaluator)
    splits = [s for s in ('train', 'val', 'test') if config[f'{s}_dataloader'] is not None]
    for split in splits:
        for leaf in leaves(config[f'{split}_dataloader'].dataset):
            types = [t.type for t in leaf.pipeline]
            loader = leaf.pipeline[types.index('mmseg_zsclip.LoadLabels')]
            assert loader.classes == config.classes
            if split == 'train':
                hide = leaf.pipeline[types.index('mmseg_zsclip.LoadLabels') + 1]
                assert hide.type == 'mmseg_zsclip.HideUnseen'
                assert (hide.classes, hide.unseen) == (config.classes, config.unseen)
                crop = leaf.pipeline[types.index('RandomCrop')]
                assert crop.get('ignore_index', 255) == ignore_index(len(classes))
            else:
                assert 'mmseg_zsclip.HideUnseen' not in types
                assert types.index('Resize') < types.index('mmseg_zsclip.LoadLabels')
            dataset = DATASETS.build(leaf | dict(data_root=str(tmp_path), lazy_init=True))
            assert len(dataset.metainfo['classes']) == len(classes)


@pytest.mark.parametrize('path', [
    p for p in CONFIGS if p.stem not in ('camvid_by_drive', 'toy', 'toy_target')],
    ids=lambda p: p.stem)
def test_the_folder_comes_from_the_environment(path, monkeypatch):
    variable = path.read_text().split("data_root = '{{$")[1].split(':')[0]
    assert variable.startswith('ZSCLIP_')
    monkeypatch.setenv(variable, '/some where')
    assert Config.fromfile(path).data_root == '/some where'


def test_toy_is_drawn_and_its_target_is_only_for_tests():
    toy, target = (Config.fromfile(FOLDER / f'{name}.py') for name in ('toy', 'toy_target'))
    splits = {key: toy[key].dataset.split for key in toy if key.endswith('_dataloader')}
    assert splits == {f'{s}_dataloader': s for s in ('train', 'val', 'test')}
    assert target.train_dataloader is None
    for config in (target.val_dataloader, target.test_dataloader):
        assert config.dataset.type == 'mmseg_zsclip.ToyTargetDataset'


def test_camvid_by_drive_never_tests_on_a_training_drive():
    config = Config.fromfile(FOLDER / 'camvid_by_drive.py')
    drives = [set(config[f'{s}_dataloader'].dataset.drives) for s in ('train', 'val', 'test')]
    assert drives == [{'0001TP', '0016E5'}, {'0006R0'}, {'0006R0'}]
