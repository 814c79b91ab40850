"""tools/choose_offset.py: an offset without any mask of an unseen class."""

import json

import pytest

from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.datasets.pipelines import config_parts, config_pipelines


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('choose_offset.py')


@pytest.mark.parametrize('name', ['voc_inductive', 'coco_stuff_inductive', 'voc_transductive'])
def test_joined_and_wrapped_training_sets_hide_the_held_out_classes_everywhere(tool, name):
    cfg = load_config(name)
    tool.hold_out(cfg, ['cat', 'sofa'])
    hiding = [
        step
        for pipeline in config_pipelines(cfg.train_dataloader.dataset)
        for step in pipeline
        if step.type.endswith('HideUnseen')
    ]
    assert hiding
    assert all(step.unseen == ['cat', 'sofa'] for step in hiding)
    parts = list(config_parts(cfg.train_dataloader.dataset))
    assert all(part.metainfo.unseen == ['cat', 'sofa'] for part in parts)
    assert cfg.model.decode_head.unseen == ['cat', 'sofa']
    pipeline = [dict(type='LoadImageFromFile')]
    tested = tool.as_in_tests(cfg.train_dataloader.dataset, pipeline)
    assert not any('setting' in part for part in (tested, *config_parts(tested)))
    assert list(config_pipelines(tested))
    assert all(steps == pipeline for steps in config_pipelines(tested))
    assert hiding == [
        step
        for pipeline in config_pipelines(cfg.train_dataloader.dataset)
        for step in pipeline
        if step.type.endswith('HideUnseen')
    ]


def test_a_config_that_hides_nothing_has_no_offset_to_choose(tool):
    cfg = load_config('toy_inductive')
    for pipeline in config_pipelines(cfg.train_dataloader.dataset):
        pipeline[:] = [step for step in pipeline if not step.type.endswith('HideUnseen')]
    with pytest.raises(ValueError, match='not zero-shot'):
        tool.hold_out(cfg, ['dog'])


def test_the_best_offset_is_written_with_its_table(tool, tmp_path, capsys):
    tool.main(
        [
            'toy_inductive',
            '--hold-out',
            'house',
            'star',
            '--work-dir',
            str(tmp_path),
            '--photos',
            '2',
            '--cfg-options',
            'train_cfg.max_iters=2',
            'train_dataloader.dataset.length=4',
            'train_dataloader.num_workers=0',
            'train_dataloader.persistent_workers=False',
        ]
    )
    found = json.loads((tmp_path / 'offset.json').read_text())
    assert len(found['rows']) == 21
    assert found['best'] in found['rows']
    assert f'seen_offset={found["best"]["offset"]}' in capsys.readouterr().out
