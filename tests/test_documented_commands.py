"""Every command on the pages is one that its program takes. Those that need no data run as written
in an empty directory, the long ones on less: `LESS`."""

import importlib.util
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.utils import digit_version
from PIL import Image

from mmseg_zsclip import cli
from mmseg_zsclip.apis.configs import find_config
from mmseg_zsclip.apis.model_list import named_model
from mmseg_zsclip.apis.options import check_options, read_config
from mmseg_zsclip.cli.cfg_options import parse_options
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.toy import World

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / 'README.md',
    *sorted(ROOT.glob('docs/*.md')),
    *sorted(ROOT.glob('configs/*/README.md')),
]
PROGRAM = re.compile(r'^(zsclip|python (tools|demo)/[\w/]+\.py) ')
BLANK = re.compile(r'\.\.\.|\[|<|[A-Z]+\|')  # of a summary of options, not of a command
NAME = re.compile(r'[a-z][\w-]+')  # of a config or model, not a FILE or ./file.py

# What makes a long command short: words that are added to it, those behind = to its --cfg-options.
LESS = {
    'train': [
        '=train_cfg.max_iters=2',
        '=train_cfg.val_begin=3',
    ],
    'test': ['=test_dataloader.dataset.indices=2'],
    'check': ['--max-files', '4'],
    'segment': ['--model', 'toy'],  # where it names none: the default is fetched
}
# In seconds, if so short.
TRAINED = ('toy_inductive', 'own_toy_inductive', 'toy_maskclip_plus', 'toy_maskclip_plus_zs')
EXPORTS = all(importlib.util.find_spec(name) for name in ('onnx', 'onnxscript', 'onnxruntime'))
EXPORTS = EXPORTS and digit_version(torch.__version__) >= digit_version('2.8')


def lines(page: Path) -> list[str]:
    """Of the indented blocks, continued ones joined."""
    text = re.sub(r'^```.*?^```$', '', page.read_text(), flags=re.MULTILINE | re.DOTALL)
    block = '\n'.join(line[4:] for line in text.splitlines() if line.startswith('    '))
    return block.replace('\\\n', ' ').splitlines()


def commands(page: Path) -> list[list[str]]:
    """The words of each command of `zsclip`, `tools` and `demo`, comments left out."""
    out = []
    for line in lines(page):
        words = shlex.shlex(line, posix=True, punctuation_chars=';')
        words.whitespace_split, words.commenters = True, '#'
        if not PROGRAM.match(line) or BLANK.search(re.sub(r'"[^"]*"|\'[^\']*\'', '', line)):
            continue
        command = []
        for word in [*words, ';']:
            if word != ';':
                command.append(word)
            elif command:
                out.append(command)
                command = []
    return out


COMMANDS = [(page, words) for page in PAGES for words in commands(page)]


def named(case) -> str:
    page, words = case
    return f'{page.relative_to(ROOT)}: {" ".join(words)}'[:90]


class Parsed(BaseException):
    """Carries what a program has read of its command line, so that it goes no further."""


def parsed(words: list[str], monkeypatch):
    """The arguments of a command, by its own parser.

    Raises:
        SystemExit: the parser refuses them.
    """
    whole = Parser.parse_args

    def stop(self, *args, **kwargs):
        raise Parsed(whole(self, *args, **kwargs))

    monkeypatch.setattr(Parser, 'parse_args', stop)
    with pytest.raises(Parsed) as found:
        run(words, monkeypatch)
    return found.value.args[0]


def run(words: list[str], monkeypatch) -> None:
    if words[0] == 'zsclip':
        assert cli.main(words[1:]) == 0
        return
    path = ROOT / words[1]
    monkeypatch.setattr(sys, 'argv', [str(path), *words[2:]])
    monkeypatch.syspath_prepend(path.parent)
    runpy.run_path(str(path), run_name='__main__')


def test_commands_were_found():
    assert len(COMMANDS) > 80
    assert {words[1] for _, words in COMMANDS if words[0] == 'zsclip'} >= {
        *('segment', 'train', 'test', 'bench', 'check', 'config', 'models', 'export', 'doctor'),
    }


@pytest.mark.parametrize('case', COMMANDS, ids=named)
def test_a_documented_command_has_words_that_its_program_takes(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = case[1]
    for file in (Path(word.rpartition('=')[2]) for word in words):
        if file.suffix in ('.pt', '.pth') and not file.is_absolute():  # some look at once
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    if words[1].startswith('demo/'):
        assert (ROOT / words[1]).is_file()
        return
    args = parsed(words, monkeypatch)
    config = getattr(args, 'config', None)
    if config and NAME.fullmatch(config):
        options = getattr(args, 'cfg_options', None) or {}
        options = options if isinstance(options, dict) else parse_options(options)
        check_options(read_config(find_config(config)), options)
    model = getattr(args, 'model', None)
    if isinstance(model, str) and NAME.fullmatch(model):
        assert named_model(model)


def runs(words: list[str]) -> bool:
    """Whether it needs neither data, nor a download, nor minutes."""
    name, of = words[1], words[2] if len(words) > 2 else ''
    if words[0] != 'zsclip':
        return name == 'demo/onnx_example.py' and EXPORTS
    return (
        name == 'models'
        or (name == 'config' and NAME.fullmatch(of))
        or (name == 'segment' and not {'ray', 'geotiff'} & {*words})
        or (name == 'check' and of.startswith(('toy_', 'own_toy_')))
        or (name == 'train' and of in TRAINED)
        or (name == 'test' and of in (*TRAINED, 'toy_maskclip', 'own_toy_maskclip'))
        or (name == 'export' and of == 'toy' and EXPORTS)
    )


def shortened(words: list[str]) -> list[str]:
    added = [] if '--model' in words else LESS.get(words[1], [])
    options = [word[1:] for word in added if word.startswith('=')]
    keys = tuple(option.partition('=')[0] + '=' for option in options)
    words = [word for word in words if not word.startswith(keys)] if keys else words
    words = [*words, *(word for word in added if not word.startswith('='))]
    if '--cfg-options' in words:
        at = words.index('--cfg-options') + 1
        return [*words[:at], *options, *words[at:]]
    return [*words, '--cfg-options', *options] if options else words


def begin(name: str, checkpoint: Path, untrained: Callable) -> None:
    """The weights of a model that begins, under the name that its config gives the trained ones."""
    config = find_config(named_model(name).config)
    steps = Config.fromfile(config).train_cfg.max_iters
    assert checkpoint == Path('work_dirs', config.stem, f'iter_{steps}.pth')
    checkpoint.parent.mkdir(parents=True)
    untrained(config, checkpoint)


def stand_in(words: list[str], monkeypatch, untrained: Callable) -> None:
    """The checkpoint that a command reads, unless there is one: for `test` of as short a training,
    for `segment` of none."""
    for checkpoint in map(Path, words):
        if checkpoint.suffix != '.pth' or checkpoint.exists():
            continue
        if words[1] == 'segment':
            begin(words[words.index('--model') + 1], checkpoint, untrained)
        if words[1] == 'test':
            made = checkpoint.with_name('iter_2.pth')
            if not made.exists():
                run(shortened(['zsclip', 'train', words[2]]), monkeypatch)
            shutil.copy(made, checkpoint)


RUNNING = [
    page for page in PAGES if not page.name.startswith('results') and any(map(runs, commands(page)))
]


@pytest.mark.parametrize('page', RUNNING, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_run_from_an_empty_directory(page, tmp_path, monkeypatch, untrained):
    monkeypatch.chdir(tmp_path)
    Path('photos').mkdir()
    for i in range(2):  # the reader's own
        Image.fromarray(World('toy', 96).scene('test', i).image).save(f'photos/{i}.png')
    shutil.copy('photos/0.png', 'photo.png')
    if page.name in ('segment_my_photos.md', 'own_data.md'):  # their Python writes photos
        monkeypatch.setenv('ZSCLIP_DATA', 'my_data')
        code = re.findall(r'^```python\n(.*?)^```$', page.read_text(), re.MULTILINE | re.DOTALL)
        exec(compile(code[0], page.name, 'exec'), {})  # noqa: S102
    for words in filter(runs, commands(page)):
        stand_in(words, monkeypatch, untrained)
        run(shortened(words), monkeypatch)


def test_what_a_page_wrote_is_what_it_promised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('photos').mkdir()
    Image.fromarray(World('toy', 96).scene('test', 0).image).save('photos/a.png')
    (words,) = [one for one in commands(ROOT / 'README.md') if one[1] == 'segment']
    run(shortened(words), monkeypatch)
    labels = np.asarray(Image.open('results/png/a.png'))
    assert labels.shape == (96, 96)
    assert set(np.unique(labels)) <= {0, 1, 2}
