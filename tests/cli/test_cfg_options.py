"""--cfg-options: what is read of the command line, and values that no config can take."""

import pytest
from mmengine.config import Config, DictAction

from mmseg_zsclip.apis.options import check_options
from mmseg_zsclip.cli.cfg_options import option_value, parse_options


@pytest.mark.parametrize(
    'text',
    ['1', '1e-3', '-2.5', 'true', 'False', 'None', 'word', "'word'", '"[a,b]"', '[a,b]', 'a,b']
    + ['(1,2)', '[(1,2),[a,b],c]', '[a,]', '[]', '()', '[[]]', '[1]', '', 'a.b/c', 'x=y', 'a{}b'],
)
def test_what_has_no_blanks_is_read_as_mmengine_reads_it(text):
    assert option_value(text) == DictAction._parse_iterable(text)
    assert type(option_value(text)) is type(DictAction._parse_iterable(text))


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('/my photos/a (1).jpg', '/my photos/a (1).jpg'),
        ('a photo of a {}.', 'a photo of a {}.'),
        ('[traffic light, car]', ['traffic light', 'car']),
        ("['traffic light', 2]", ['traffic light', 2]),
        ('( 1, 2 )', (1, 2)),
        ('(1,2),(3,4)', [(1, 2), (3, 4)]),
        (' 3 ', 3),
    ],
)
def test_blanks_stay_inside_of_words(text, value):
    assert option_value(text) == value


def test_options_of_a_command_line():
    assert parse_options(['a.b=1', 'c=[x y,2]', 'd=None', '+e=f=g']) == {
        'a.b': 1,
        'c': ['x y', 2],
        'd': None,
        '+e': 'f=g',
    }
    assert parse_options([]) == {}


@pytest.mark.parametrize(
    ('pair', 'message'),
    [
        ('a.b', "KEY=VALUE, got 'a.b'"),
        ('=3', "KEY=VALUE, got '=3'"),
        ('+=3', 'KEY=VALUE'),
        ('a=[1', r"'a=\[1': a '\]' is missing"),
        ('a=1],2', r"there is a '\]' too many"),
        ('a=[1,(2]', "there is a '\\]' too many"),
        ("a={'type': 'X'}", r'no dicts. Give an option for each entry, as a.NAME=VALUE'),
        ('a=dict(type=X,b=1)', 'no dicts'),
        ("a=[dict(type='A'),dict(type='B',c=1)]", 'no dicts'),
    ],
)
def test_what_cannot_be_read_is_named(pair, message):
    with pytest.raises(SystemExit, match=f'zsclip: --cfg-options .*{message}'):
        parse_options([pair])


CFG = Config(
    dict(
        model=dict(type='A', head=dict(type='B'), flag=True, rate=0.1),
        train_dataloader=dict(dataset=dict(pipeline=[dict(type='C'), dict(type='D')])),
        default_hooks=dict(logger=dict(type='E')),
        val_cfg=None,
    )
)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'model.flag': 'no'}, 'model.flag is True in this config; legal: True, False'),
        ({'model.rate': 'x'}, r'model.rate is 0.1 .*; legal: a number. If .*: \+model.rate=x$'),
        ({'model.head': 5}, 'model.head is a dict in this config. .* model.head.type=VALUE'),
        ({'model': 'word'}, 'model is a dict'),
        ({'default_hooks.logger': True}, 'logger is a dict'),
        ({'train_dataloader': []}, 'train_dataloader is a dict'),
        ({'train_dataloader.dataset.pipeline.0': 5}, r'pipeline.0 is a dict'),
        (
            {'train_dataloader.dataset.pipeline': ['C', 'D']},
            'pipeline is a list of 2 dicts .*pipeline.0.type=VALUE',
        ),
        (
            {'train_dataloader': None, 'train_dataloader.batch_size': 2},
            'train_dataloader=None leaves no train_dataloader.batch_size. Give one of the two',
        ),
        (
            {'model.head.type': 'F', 'model.head': None},
            'model.head=None leaves no model.head.type',
        ),
    ],
)
def test_a_word_in_the_place_of_something_else_is_an_error(options, message):
    with pytest.raises(ValueError, match=f'--cfg-options .*{message}'):
        check_options(CFG, options)


def test_what_may_take_the_place_of_something_else():
    pipeline = 'train_dataloader.dataset.pipeline'
    for options in (
        {'model.head': None},
        {'model.head': dict(type='F'), 'model.head.a': 1},
        {pipeline: []},
        {pipeline: None},
        {pipeline: [dict(type='F')]},
        {f'{pipeline}.0.type': 'F'},
        {'val_cfg': 3},
        {'model.flag': 0},
        {'+model.flag': 'x', '+model.rate': 'x'},
        {'model.rate': None},
        {'model.rate': [1, 2]},
    ):
        check_options(CFG, options)
