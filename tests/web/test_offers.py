"""The models of the page: what needs no download comes first."""

import pytest

from mmseg_zsclip.apis.configs import ConfigNotFoundError
from mmseg_zsclip.apis.model_list import MODELS
from mmseg_zsclip.web import offers
from mmseg_zsclip.web.offers import Offers


def test_all_models_are_offered_and_those_that_need_nothing_come_first():
    choices = Offers().choices
    found = [name for _, name in choices]
    assert sorted(found) == sorted(MODELS)
    assert found[:2] == ['toy', 'toy-resnet']
    downloads = [name for name, row in MODELS.items() if row.download and not row.checkpoint]
    assert found[2 : 2 + len(downloads)] == downloads
    shown = {name: text for text, name in choices}
    assert shown['toy'] == 'toy, MaskCLIP'
    assert shown['maskclip-vit-b16'].endswith('needs 351 MB of CLIP')


def test_models_with_given_weights_come_before_all():
    found = Offers({'toy-zegclip': 'a.pth', 'own_inductive': 'b.pth'}).choices
    assert found[:2] == [
        ('toy-zegclip, ZegCLIP', 'toy-zegclip'),
        ('own_inductive', 'own_inductive'),
    ]


def test_weights_of_no_model_are_refused_at_the_start():
    with pytest.raises(ConfigNotFoundError, match='toy-zegclp'):
        Offers({'toy-zegclp': 'a.pth'})


def test_a_model_without_its_checkpoint_tells_the_command_and_the_option():
    with pytest.raises(ValueError, match='zsclip train toy_inductive.*--weights toy-zegclip=FILE'):
        Offers().segmenter('toy-zegclip')


def test_the_last_models_stay_in_memory(monkeypatch):
    built = []

    def build(name, weights):
        built.append(name)
        return name

    monkeypatch.setattr(offers, 'ZeroShotSegmenter', build)
    some, r50, b16 = Offers(), 'maskclip-r50', 'maskclip-vit-b16'
    for name in ('toy', 'toy-resnet', 'toy', r50, b16, 'toy', 'toy-resnet'):
        assert some.segmenter(name) == name
    assert built == ['toy', 'toy-resnet', r50, b16, 'toy-resnet']
