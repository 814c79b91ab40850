"""A checkpoint of one vocabulary is tested on another."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmseg_zsclip.apis.launch import build_runner, evaluate, load_config
from mmseg_zsclip.checkpoints import read_checkpoint
from mmseg_zsclip.engine import SetClassesHook
from mmseg_zsclip.vocabulary.lists import canonical, load_classes

SHORT = {
    'test_dataloader.dataset.length': 2,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'log_level': 'WARNING',
}


@pytest.fixture
def trained(tmp_path):
    runner = build_runner(load_config('toy_inductive', work_dir=tmp_path / 'train', options=SHORT))
    runner.model.init_weights()
    torch.save(dict(state_dict=runner.model.state_dict()), tmp_path / 'toy.pth')
    return tmp_path / 'toy.pth'


def test_a_toy_checkpoint_is_scored_on_the_target_world(trained, tmp_path):
    metrics = evaluate(
        load_config('toy_to_target', work_dir=tmp_path / 'test', options=SHORT), trained
    )
    assert 'mIoU' in metrics
    assert 'mIoU(U)' not in metrics
    (written,) = (tmp_path / 'test').rglob('metrics.json')
    names = [row['name'] for row in json.loads(written.read_text())['per_class']]
    assert names == [canonical(name) for name in load_classes('toy_target')]


def runner_of(model, count):
    dataset = SimpleNamespace(metainfo=dict(classes=['x'] * count))
    return SimpleNamespace(model=model, test_dataloader=SimpleNamespace(dataset=dataset))


class Renamed(nn.Module):
    def set_classes(self, classes, unseen):
        self.num_classes = len(classes)
        self.unseen = unseen


def test_the_model_gets_the_classes():
    model = Renamed()
    SetClassesHook(['cat', 'dog'], 'none').before_test(runner_of(model, 2))
    assert (model.num_classes, model.unseen) == (2, 'none')


def test_other_classes_than_the_test_data():
    with pytest.raises(ValueError, match=r"classes=\['cat'\] are 1 classes, the test data has 13"):
        SetClassesHook(['cat']).before_test(runner_of(Renamed(), 13))


def test_a_model_of_fixed_vocabulary():
    with pytest.raises(TypeError, match='Identity has a fixed vocabulary'):
        SetClassesHook(['cat']).before_test(runner_of(nn.Identity(), 1))


def test_the_model_gets_the_classes_behind_test_time_augmentation():
    from mmseg.models.segmentors import SegTTAModel  # behind the ops fallback

    model = Renamed()
    model.test_step = None  # what MMEngine asks of a model to augment
    wrapped = SegTTAModel(module=model)
    SetClassesHook(['cat', 'dog']).before_test(runner_of(wrapped, 2))
    assert model.num_classes == 2


def test_classes_in_another_order_are_refused_before_a_test(trained, tmp_path):
    cfg = load_config('toy_inductive', work_dir=tmp_path / 'test', options=SHORT)
    names = (
        list(cfg.model.decode_head.classes)
        if not isinstance(cfg.model.decode_head.classes, str)
        else load_classes(cfg.model.decode_head.classes)
    )
    cfg.model.decode_head.classes = [names[1], names[0], *names[2:]]
    with pytest.raises(ValueError, match='differ first at 0'):
        evaluate(cfg, silent(trained, tmp_path))


def silent(path, folder):
    """The checkpoint as older ones are: it does not say what its text embeddings were made from."""
    checkpoint = read_checkpoint(path)
    del checkpoint['state_dict']._metadata['decode_head.class_embeddings']['text']
    torch.save(checkpoint, folder / 'silent.pth')
    return str(folder / 'silent.pth')


WORDS = ['sky', 'grass', 'sea', 'sand', 'house', 'tree', 'car', 'boat']


def of(classes, tmp_path, **options):
    cfg = load_config(
        'toy_inductive',
        work_dir=tmp_path,
        options={
            **SHORT,
            'model.decode_head.classes': classes,
            'model.decode_head.unseen': ['boat'],
            'model.decode_head.text.weights': 'toy',
            **options,
        },
    )
    return build_runner(cfg)


def checkpoint_of(runner, path):
    names = runner.model.vocabulary.classes
    torch.save(
        dict(
            meta=dict(dataset_meta=dict(classes=tuple(map(canonical, names)))),
            state_dict=runner.model.state_dict(),
        ),
        path,
    )
    return str(path)


def test_a_checkpoint_of_the_same_classes_in_another_order_is_refused(tmp_path):
    runner = of(WORDS, tmp_path)
    runner.model.init_weights()
    path = checkpoint_of(runner, tmp_path / 'a.pth')
    other = of(WORDS[::-1], tmp_path)
    with pytest.raises(
        ValueError,
        match="differ first at 0: 'boat' in the model .8 classes., 'sky' in "
        'the data.*new_classes=True',
    ):
        other.load_checkpoint(path)
    runner.load_checkpoint(path)


@pytest.mark.parametrize('words', [WORDS[::-1], [*WORDS[:3], 'boat', 'lamp post']])
def test_one_way_to_fine_tune_on_other_words(tmp_path, words):
    trained = of(WORDS, tmp_path)
    trained.model.init_weights()
    with torch.no_grad():
        trained.model.decode_head.query_proj.weight.fill_(0.5)
    path = checkpoint_of(trained, tmp_path / 'a.pth')
    runner = of(words, tmp_path, **{'custom_hooks.0.new_classes': True})
    runner.model.init_weights()
    computed = runner.model.vocabulary().clone()
    runner.load_checkpoint(path)
    assert torch.equal(runner.model.vocabulary(), computed)
    assert (runner.model.decode_head.query_proj.weight == 0.5).all()
    again = checkpoint_of(runner, tmp_path / 'b.pth')
    tested = of(words, tmp_path, **{'custom_hooks.0.new_classes': True})
    tested.load_checkpoint(again)
    assert torch.equal(tested.model.vocabulary(), computed)


def saved_by(runner, path):
    runner.model.init_weights()
    checkpoint = dict(meta={}, state_dict=runner.model.state_dict())
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    torch.save(checkpoint, path)
    return str(path)


TEXT = 'model.decode_head.text'


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (
            {f'{TEXT}.templates': 'vild14'},
            "from templates 'single', the config's are from 'vild14'",
        ),
        ({f'{TEXT}.templates': ['a {}.']}, r"from templates 'single', .* from \['a {}\.'\]"),
        ({f'{TEXT}.weights': 'elsewhere/other.pt'}, "from weights 'toy', .* from 'other.pt'"),
        (
            {'model.decode_head.classes': ['sky, heaven', *WORDS[1:]]},
            "from classes 'sky', .* from 'sky, heaven'",
        ),
    ],
)
def test_text_embeddings_of_another_source_never_replace_the_configs(tmp_path, change, words):
    path = saved_by(of(WORDS, tmp_path), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=f'{words}.*new_classes=True') as info:
        of(WORDS, tmp_path, **change).load_checkpoint(path)
    assert '\n' not in str(info.value)


def test_the_same_text_written_in_another_way_is_taken(tmp_path):
    path = saved_by(of(WORDS, tmp_path), tmp_path / 'a.pth')
    for change in ({f'{TEXT}.templates': ['a photo of a {}.']}, {f'{TEXT}.weights': None}, {}):
        of(WORDS, tmp_path, **change).load_checkpoint(path)
    of(WORDS, tmp_path, **{f'{TEXT}.templates': 'vild14'}).load_checkpoint(silent(path, tmp_path))


def test_text_embeddings_can_be_computed_anew_for_a_test(tmp_path):
    path = saved_by(of(WORDS, tmp_path), tmp_path / 'a.pth')
    wanted = of(WORDS, tmp_path, **{f'{TEXT}.templates': 'vild14'})
    wanted.model.init_weights()
    runner = of(
        WORDS, tmp_path, **{f'{TEXT}.templates': 'vild14', 'custom_hooks.0.new_classes': True}
    )
    runner.load_checkpoint(path)
    text = runner.model.vocabulary()
    assert torch.equal(text, wanted.model.vocabulary())
