"""How a run of a suite is done by hand: a command line, or Python where none can say it."""

import shlex
from pprint import pformat

from .suite import Run, Suite

WIDTH = 110


def commands(suite: Suite) -> list[str]:
    """Lines of an indented block of Markdown, two or more a run."""
    return [f'    {line}' for run in suite.runs for line in (f'# {run.name}', *by_hand(run))]


def by_hand(run: Run) -> list[str]:
    """The lines that do one run, with the config's own seed.

    mmengine takes the blanks out of lists on a command line and knows no dicts there; such options,
    and a schedule of another length, are lines of Python.
    """
    from ...cli.cfg_options import parse_options

    flags = [
        name for name in ('tta', 'amp') if getattr(run, name) and not (run.trains and name == 'tta')
    ]  # of the test alone
    options = {key: _plain(value) for key, value in run.options.items()}
    pairs = [f'{key}={_written(value)}' for key, value in options.items()]
    no_dict = not any('{' in pair for pair in pairs)  # one in a list would never end
    if run.steps is None and no_dict and parse_options(pairs) == options:
        return [
            shlex.join(
                [
                    'zsclip',
                    'train' if run.trains else 'test',
                    run.config,
                    *(['--weights', run.weights] if run.weights else []),
                    *(f'--{name}' for name in flags),
                    *(['--cfg-options', *pairs] if pairs else []),
                ]
            )
        ]
    done = 'train' if run.trains else 'evaluate'
    names = ['load_config', *(['set_steps'] if run.steps else []), done]
    arguments = [
        repr(run.config),
        *([f'weights={run.weights!r}'] if run.weights else []),
        *(['options=options'] if options else []),
    ]
    return [
        f'from mmseg_zsclip.apis.launch import {", ".join(sorted(names))}',
        *(_assigned('options', options) if options else []),
        f'cfg = load_config({", ".join(arguments)})',
        *([f'set_steps(cfg, {run.steps})'] if run.steps else []),
        f'{done}({", ".join(["cfg", *(f"{name}=True" for name in flags)])})',
    ]


def _assigned(name: str, value) -> list[str]:
    start = f'{name} = '
    text = pformat(value, width=WIDTH - len(start), compact=True, sort_dicts=False)
    return (start + text.replace('\n', '\n' + ' ' * len(start))).split('\n')


def _plain(value):
    """Tuples as lists, as a command line gives them."""
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _written(value) -> str:
    """As --cfg-options reads it: lists without blanks."""
    return f'[{",".join(map(_written, value))}]' if isinstance(value, list) else str(value)
