import csv
import json

import pytest
from mmengine.config import Config

from mmseg_zsclip.apis import find_config
from mmseg_zsclip.apis.bench_sets import (
    GROUPS,
    SETS,
    Row,
    bench,
    chosen_sets,
    config_for,
    console_table,
    published,
    vocabulary_settings,
    write_tables,
)
from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.cli import main

SHIPPED = dict(
    voc21='voc21',
    pc60='context60',
    object='coco-object',
    pas20='voc20',
    city='cityscapes',
    pc59='context59',
    a150='ade20k',
    stuff='coco-stuff',
)
FEW = {
    'test_dataloader.dataset.indices': 2,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
}


def effect(cfg):
    """What decides the numbers of a test."""
    dataset = cfg.test_dataloader.dataset
    (head,) = vocabulary_settings(cfg.model)
    return dict(
        model=cfg.model.to_dict() if hasattr(cfg.model, 'to_dict') else dict(cfg.model),
        pipeline=[dict(step) for step in dataset.pipeline],
        kind=dataset.type,
        unseen=head.get('unseen'),
        metric=dict(cfg.test_evaluator),
    )


@pytest.mark.parametrize('protocol', ['whole', 'windows'])
@pytest.mark.parametrize('name', GROUPS['training-free'])
def test_one_maskclip_config_becomes_every_shipped_one(name, protocol):
    """So that the table of eight sets is that of the sixteen configs."""
    ending = '' if protocol == 'whole' else '_windows'
    cfg = Config.fromfile(find_config('maskclip_vit-b16_voc20'))
    ours = config_for(cfg, name, protocol, trained=False)
    wanted = Config.fromfile(find_config(f'maskclip_vit-b16_{SHIPPED[name]}{ending}'))
    assert effect(ours) == effect(wanted)


def test_a_trained_model_gets_other_words_after_its_checkpoint():
    cfg = Config.fromfile(find_config('coco_stuff_inductive'))
    ours = config_for(cfg, 'pas20')
    wanted = Config.fromfile(find_config('coco_to_voc'))
    assert ours.custom_hooks == wanted.custom_hooks
    assert ours.model == cfg.model == wanted.model
    assert ours.test_dataloader.dataset.type == wanted.test_dataloader.dataset.type
    assert ours.test_dataloader.dataset.pipeline == wanted.test_dataloader.dataset.pipeline
    assert ours.test_dataloader.dataset.metainfo == dict(unseen='none')


def test_its_own_set_keeps_its_unseen_classes():
    cfg = Config.fromfile(find_config('coco_stuff_inductive'))
    ours = config_for(cfg, 'stuff')
    assert ours.test_dataloader.dataset.metainfo.unseen == 'coco_stuff171'
    assert ours.custom_hooks == cfg.custom_hooks


@pytest.mark.parametrize('name', SETS)
def test_every_set_has_a_base_config_with_classes(name):
    cfg = config_for(Config.fromfile(find_config('maskclip_vit-b16_voc20')), name, trained=False)
    assert cfg.test_dataloader.dataset.type.startswith('mmseg_zsclip.')


def test_groups_are_sets_and_every_set_comes_once():
    assert chosen_sets(['pc59', 'training-free', 'pc59'])[:2] == ['pc59', 'voc21']
    assert len(chosen_sets([*GROUPS, *SETS])) == len(SETS)


def test_a_mistyped_set_names_the_nearest():
    with pytest.raises(ValueError, match=r"no test set 'a849'. Nearest: a847. Legal: a847, a150"):
        chosen_sets(['a849'])


@pytest.mark.parametrize('name', GROUPS['cross-data'])
def test_masqclip_is_tested_across_data_in_the_release_s_sizes_and_words(name):
    cfg = Config.fromfile(find_config('coco_panoptic_masq'))
    ours = config_for(cfg, name)
    (hook,) = (one for one in ours.custom_hooks if one.type.endswith('SetClassesHook'))
    steps = {step.type.split('.')[-1]: step for step in ours.test_dataloader.dataset.pipeline}
    ade = name in ('ade_panoptic', 'a150')
    assert hook.classes == ('ade150_words' if ade else SETS[name][0])
    assert steps['Resize'].scale == ((2560, 640) if ade else (2048, 512))
    panoptic = name == 'ade_panoptic'
    assert hook.get('things') == ('ade_things' if panoptic else None)
    assert ('LoadInstances' in steps) == panoptic
    assert ours.model.test_cfg.tasks == (['semantic', 'panoptic'] if panoptic else ['semantic'])
    assert 'ade_panoptic' in cfg.other_sets
    assert cfg.model.test_cfg.tasks == ['semantic', 'panoptic']
    assert published('coco_panoptic_masq', name, None) == dict(
        a150=30.4, a847=10.7, pc59=57.8, pc459=18.2
    ).get(name)


@pytest.mark.parametrize(
    ('name', 'classes', 'ending'),
    [('coco_all', None, 'all'), ('coco_base', 'coco48', 'base'), ('coco_novel', 'coco17', 'novel')],
)
def test_base_and_novel_classes_are_tested_together_and_alone(name, classes, ending):
    ours = config_for(Config.fromfile(find_config('coco_base_masq')), name)
    hooks = [one.classes for one in ours.custom_hooks if one.type.endswith('SetClassesHook')]
    assert hooks == ([] if classes is None else [classes])
    dataset = ours.test_dataloader.dataset
    assert dataset.ann_file == f'lists/val2017_{ending}.txt'
    assert ours.test_evaluator.ann_file.endswith(f'instances_val2017_{ending}.json')
    assert dataset.metainfo.unseen == ('coco65' if classes is None else 'none')
    assert ours.model.test_cfg.tasks == ['instance']


def test_a_frozen_model_has_the_things_of_the_set():
    cfg = Config.fromfile(find_config('coco_panoptic_proposals'))
    assert config_for(cfg, 'ade_panoptic', trained=False).model.things == 'ade_things'
    assert 'things' not in config_for(cfg, 'a847', trained=False).model


def test_an_unknown_protocol():
    with pytest.raises(ValueError, match="protocol is 'slide'; legal values: whole, windows"):
        config_for(Config.fromfile(find_config('maskclip_vit-b16_voc20')), 'a150', 'slide')


def test_a_model_of_fixed_vocabulary():
    cfg = Config(dict(model=dict(decode_head=dict(type='FCNHead'))))
    with pytest.raises(ValueError, match='no part of the model has `classes`'):
        config_for(cfg, 'a150')


def test_published_numbers_are_those_of_the_protocol():
    assert published('maskclip_vit-b16_context59', 'pc59', 'whole') == 21.7
    assert published('maskclip_vit-b16_ks_pd_context59', 'pc59', 'whole') == 25.5
    assert published('maskclip_vit-b16_voc20', 'pas20', 'windows') == 74.9
    assert published('coco_stuff_inductive', 'pas20', None) == 93.6
    assert published('own', 'pas20', None) is None


def test_both_toy_worlds_are_tested_once_and_what_is_missing_is_skipped(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ['bench', 'toy_maskclip', '--sets', 'toy', 'toy_target', 'city', '--work-dir', 'out']
    monkeypatch.setattr('mmseg_zsclip.apis.bench_sets.config_for', of_two_scenes)
    assert main(words) == 0
    said = capsys.readouterr().out
    assert 'Cityscapes was skipped' in said
    assert 'ZSCLIP_CITYSCAPES' in said
    first = {
        row['name']: row for row in json.loads((tmp_path / 'out/bench.json').read_text())['rows']
    }
    assert set(first['toy']['metrics']) >= {'mIoU', 'mIoU(S)', 'mIoU(U)', 'hIoU'}
    assert first['toy_target']['metrics']['mIoU'] > 0
    assert first['city']['metrics'] == {}

    monkeypatch.setattr('mmseg_zsclip.apis.bench_sets.evaluate', forbidden)
    assert main(words) == 0
    kept = {
        row['name']: row for row in json.loads((tmp_path / 'out/bench.json').read_text())['rows']
    }
    assert kept == first
    with pytest.raises(RuntimeError, match='measured again'):
        rows_of(tmp_path, model={'model.decode_head.scale': 7})


def of_two_scenes(cfg, name, *args, **kwargs):
    cfg = config_for(cfg, name, *args, **kwargs)
    cfg.test_dataloader.dataset.indices = 2
    return cfg


def rows_of(folder, model):
    return bench(load_config('toy_maskclip', work_dir=folder / 'out', options=model), None, ['toy'])


def forbidden(*args, **kwargs):
    raise RuntimeError('measured again')


def test_the_tables_say_the_same(tmp_path):
    rows = [
        Row('a', 'A', {'mIoU': 50.04, 'hIoU': float('nan')}, 1.0, paper=21.7),
        Row('b', 'B', {'mIoU': 30.0, 'mIoU(U)': 10.0}),
        Row('c', 'C', {}, skipped='no photos'),
    ]
    assert 'PQ' not in console_table(rows)
    others = [*rows, Row('d', 'D', {'AP50': 7.0})]
    lines = console_table(others).splitlines()
    assert [cell.strip() for cell in lines[1].split('|')][-4:-1] == [
        'hIoU',
        'AP50',
        'published mIoU',
    ]
    assert '7.0' in lines[6]
    assert 'mean of 2' in lines[7]
    write_tables(rows, tmp_path)
    with (tmp_path / 'bench.csv').open(newline='') as file:
        lines = list(csv.reader(file))
    assert lines[1:] == [
        ['A', '50.0', '', '', '', '21.7*'],
        ['B', '30.0', '', '10.0', '', ''],
        ['C', '', '', '', '', ''],
        ['mean of 2', '40.0', '', '', '', ''],
    ]
    marked = (tmp_path / 'bench.md').read_text().splitlines()
    assert [line.strip('| ').split(' | ')[0] for line in marked[2:]] == ['A', 'B', 'C', 'mean of 2']
    assert 'C was skipped: no photos' in console_table(rows)
