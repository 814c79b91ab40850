import argparse
import importlib
import json
import shlex

import pytest

from mmseg_zsclip.apis import launch
from mmseg_zsclip.cli.launching import launch_config
from mmseg_zsclip.experiments.claims.by_hand import by_hand, commands
from mmseg_zsclip.experiments.claims.suite import Run, Suite

HEAD = 'model.decode_head.'
ON_A_LINE = [
    Run('plain', 'toy_maskclip'),
    Run(
        'numbers',
        'toy_maskclip',
        {HEAD + 'ks_thresh': 1.0, 'model.backbone.ffn': True},
        weights='toy',
    ),
    Run('pairs', 'toy_maskclip', {'tta.scales': [(64, 64), (96, 96)], 'tta.flip': False}, tta=True),
    Run(
        'words',
        'toy_inductive',
        {HEAD + 'query': ['|t-g|', 't*g']},
        trains=True,
        tta=True,
        amp=True,
    ),  # the test has `tta`
]
IN_PYTHON = [
    Run('blanks', 'toy_maskclip', {HEAD + 'text.templates': ['a photo of a {}.']}, weights='toy'),
    Run(
        'dicts',
        'toy_maskclip_plus_zs',
        {
            'custom_hooks': [
                dict(type='mmseg_zsclip.StrictLoadHook'),
                dict(type='CheckInvalidLossHook'),
            ]
        },
        trains=True,
    ),
    Run('longer', 'toy_inductive', trains=True, amp=True, steps=4000),
]


def plain(cfg):
    """Its text, in which tuples are lists."""
    return json.dumps(cfg.to_dict(), default=str)


def meant(run):
    """The config that the suite runs."""
    cfg = launch.load_config(run.config, options=dict(run.options), weights=run.weights)
    if run.steps:
        launch.set_steps(cfg, run.steps)
    return plain(cfg)


@pytest.mark.parametrize('run', ON_A_LINE, ids=lambda run: run.name)
def test_a_command_line_gives_the_config_of_the_run(run):
    (line,) = by_hand(run)
    program, command, *words = shlex.split(line)
    assert (program, command) == ('zsclip', 'train' if run.trains else 'test')
    parser = argparse.ArgumentParser()
    importlib.import_module(f'mmseg_zsclip.cli.{command}').add_arguments(parser)
    args = parser.parse_args(words)
    assert plain(launch_config(args)) == meant(run)
    assert args.amp == run.amp
    assert getattr(args, 'tta', False) == (run.tta and not run.trains)


@pytest.mark.parametrize('run', IN_PYTHON, ids=lambda run: run.name)
def test_what_a_command_line_cannot_say_is_python(run, monkeypatch):
    done = {}
    for name in ('train', 'evaluate'):
        monkeypatch.setattr(
            launch,
            name,
            lambda cfg, name=name, **flags: done.update(name=name, cfg=plain(cfg), flags=flags),
        )
    exec('\n'.join(by_hand(run)), {})  # noqa: S102
    assert done['name'] == ('train' if run.trains else 'evaluate')
    assert done['cfg'] == meant(run)
    assert done['flags'] == (dict(amp=True) if run.amp else {})


def test_every_run_of_a_suite_has_its_name_above_it():
    lines = commands(Suite('s', 'S', [ON_A_LINE[0], IN_PYTHON[2]], []))
    assert lines[:2] == ['    # plain', '    zsclip test toy_maskclip']
    assert lines[2] == '    # longer'
    assert lines[-1] == '    train(cfg, amp=True)'
