"""Every transform is found: in joined and wrapped data sets, in their configs,
in other transforms."""

from mmcv import transforms
from mmengine.dataset import BaseDataset, ConcatDataset

from mmseg_zsclip.datasets.pipelines import config_parts, config_pipelines, pipelines, within


def test_a_pipeline_that_two_parts_share_is_given_once():
    steps = [dict(type='RandomFlip', prob=0.5)]
    parts = [dict(type='A', pipeline=steps), dict(type='B', pipeline=steps)]
    config = dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=parts))
    assert list(config_parts(config)) == parts
    assert [id(one) for one in config_pipelines(config)] == [id(steps)]


def test_joined_data_sets_are_looked_into():
    steps = [transforms.LoadImageFromFile(), transforms.RandomFlip(0.5)]
    sets = [BaseDataset(lazy_init=True, pipeline=steps[:count]) for count in (1, 2)]
    joined = ConcatDataset(sets, lazy_init=True)
    assert [len(steps) for steps in pipelines(joined)] == [1, 2]


def test_transforms_inside_transforms_are_found():
    flips = transforms.TestTimeAug([[dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]])
    found = list(within([transforms.LoadImageFromFile(), flips]))
    assert isinstance(found[0], transforms.LoadImageFromFile)
    assert [one.prob for one in found if isinstance(one, transforms.RandomFlip)] == [0.0, 1.0]
