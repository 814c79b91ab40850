"""`zsclip models`: a row a model, and what each needs."""

import pytest

from mmseg_zsclip.apis.configs import ConfigNotFoundError, find_config
from mmseg_zsclip.apis.model_list import MODELS, named_model
from mmseg_zsclip.cli import main


def test_every_model_is_listed(capsys):
    assert main(['models']) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[1:-3]] == list(MODELS)
    assert max(map(len, said.splitlines())) <= 125


def test_one_model_is_described_with_its_command_and_its_call(capsys):
    assert main(['models', 'toy-zegclip']) == 0
    said = capsys.readouterr().out
    assert 'zsclip train toy_inductive' in said
    assert "ZeroShotSegmenter('toy-zegclip', weights='FILE')" in said


def test_an_unknown_model_ends_in_one_line():
    with pytest.raises(SystemExit, match="zsclip: there is no model 'maskclp-r50'.*maskclip-r50"):
        main(['models', 'maskclp-r50'])


@pytest.mark.parametrize('name', MODELS)
def test_the_config_of_a_model_is_what_its_row_says(name):
    from mmengine.config import Config

    row = MODELS[name]
    cfg = Config.fromfile(find_config(row.config), import_custom_modules=False)
    assert (cfg.get('optim_wrapper') is not None or 'RELEASED' in (row.checkpoint or '')) == bool(
        row.checkpoint
    )
    assert ('TwoStage' in cfg.model.type or cfg.model.type.endswith(('MAFT', 'MasQCLIP'))) == (
        'instance' in row.gives
    )
    text = str(cfg.model)
    assert ("'openai'" in text) == bool(row.download)


def test_a_config_is_a_model_too():
    assert named_model('toy_inductive').config == str(find_config('toy_inductive'))
    with pytest.raises(ConfigNotFoundError, match='toy_inductive'):
        named_model('toy_inductiv')
