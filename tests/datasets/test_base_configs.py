"""Every base config of a data set: parsed, consistent, and its loaders build."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.datasets.pipelines import config_parts
from mmseg_zsclip.registry import DATASETS, METRICS
from mmseg_zsclip.vocabulary.class_names import canonical
from mmseg_zsclip.vocabulary.labels import ignore_index
from mmseg_zsclip.vocabulary.lists import load_classes, load_unseen, split_indices

FOLDER = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
CONFIGS = sorted(FOLDER.glob('*.py'))


@pytest.fixture(params=CONFIGS, ids=lambda p: p.stem)
def config(request, tmp_path, monkeypatch):
    (tmp_path / 'classes.txt').write_text('cat, kitten\nsofa\n')
    (tmp_path / 'unseen.txt').write_text('cat\n')
    monkeypatch.setenv('ZSCLIP_DATA', str(tmp_path))  # read by own_data.py
    return Config.fromfile(request.param)


def test_there_are_base_configs():
    assert len(CONFIGS) >= 13


def parts(config):
    """(split, config of a data set, the data set), parts of joined ones each; nothing is read."""
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        for part in [] if loader is None else config_parts(loader.dataset):
            yield split, part, DATASETS.build(part | dict(lazy_init=True))


def metrics(config):
    """Configs of the metrics of validation and test."""
    for given in (config.val_evaluator, config.test_evaluator):
        yield from given if isinstance(given, list) else [given]


def test_the_metrics_are_those_of_the_tasks(config):
    wanted = dict(semantic='ZeroShotIoU', panoptic='PanopticQuality', instance='InstanceAP')
    types = {one.type for one in metrics(config)}
    assert types == {
        f'mmseg_zsclip.{wanted[task]}Metric' for task in config.get('tasks', ['semantic'])
    }


def test_things_are_those_of_the_data_set(config):
    init_default_scope('mmseg')
    given = config.get('things')
    if given is not None:
        for _, _, dataset in parts(config):
            assert dataset.metainfo['things'] == load_classes(given)


def test_the_data_sets_say_the_classes_of_the_config(config):
    init_default_scope('mmseg')
    classes = load_classes(config.classes)
    unseen = load_unseen(config.unseen, classes)
    for _, _, dataset in parts(config):
        assert [canonical(name) for name in dataset.metainfo['classes']] == [
            canonical(name) for name in classes
        ]
        assert list(dataset.metainfo['unseen']) == unseen
        for evaluator in metrics(config):
            if evaluator.type.endswith('ZeroShotIoUMetric'):
                metric = METRICS.build(evaluator)
                metric.dataset_meta = dataset.metainfo
                assert metric.unseen == split_indices(classes, unseen)[1]


def test_training_hides_the_unseen_classes_before_anything_looks_and_tests_hide_nothing(config):
    init_default_scope('mmseg')
    for split, _, dataset in parts(config):
        steps = dataset.pipeline.transforms
        types = [type(step).__name__ for step in steps]
        at = types.index('LoadLabels')
        assert list(steps[at].classes) == list(dataset.metainfo['classes'])
        if split == 'train':
            hide = steps[at + 1]
            assert type(hide).__name__ == 'HideUnseen'
            names = [canonical(name) for name in dataset.metainfo['classes']]
            assert [names[i] for i in hide.hidden] == list(dataset.metainfo['unseen'])
            assert hide.value == ignore_index(len(names))
            assert steps[types.index('RandomCrop')].ignore_index == ignore_index(len(names))
        else:
            assert 'HideUnseen' not in types
            assert types.index('Resize') < at


@pytest.mark.parametrize(
    'path',
    [p for p in CONFIGS if p.stem not in ('camvid_by_drive', 'toy', 'toy_target')],
    ids=lambda p: p.stem,
)
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
