"""The `zsclip` command. Each subcommand lives in its own module, imported when it is asked for,
so that `zsclip doctor` works in an environment where nothing else does."""

import importlib
import sys

from .errors import guarded
from .parsing import Parser

# name: (module with `add_arguments` and `run`, what it does)
COMMANDS = {
    'segment': (
        '.segment',
        'segment photos into classes of your own words, as label maps or annotations',
    ),
    'train': ('.train', 'train a config, shipped or your own'),
    'test': ('.test', 'evaluate a config with a checkpoint'),
    'bench': ('.bench', 'evaluate a config on many test sets, in a table'),
    'check': ('.check', 'look at the photos and label files of a config before a long run'),
    'config': (
        '.config',
        'write a config with all that it inherits as one file, to change as you like',
    ),
    'models': ('.models', 'the models by name: what each gives, costs and needs'),
    'export': ('.export_onnx', 'write a model as an ONNX file that needs neither torch nor mmseg'),
    'demo': ('.demo', 'a page to try photos and words on, in a browser'),
    'report': (
        '..experiments.report.command',
        'draw a world, train and test four methods on it, and show them on a web page',
    ),
    'doctor': ('.doctor', 'what is installed, what is missing, and the command that repairs it'),
}


def main(argv: list[str] | None = None) -> int:
    """Runs one subcommand and returns its exit status: 0 done, 1 failed, 2 wrong usage.

    What the user can mend ends in one line on standard error, see `guarded`.
    """
    from .. import __version__

    argv = sys.argv[1:] if argv is None else argv
    parser = Parser(
        prog='zsclip', description='Zero-shot segmentation with CLIP, on MMSegmentation.'
    )
    parser.add_argument('--version', action='version', version=f'mmseg_zsclip {__version__}')
    commands = parser.add_subparsers(dest='command', metavar='COMMAND')
    modules = {}
    for name, (module, about) in COMMANDS.items():
        modules[name] = importlib.import_module(module, __name__)
        modules[name].add_arguments(commands.add_parser(name, help=about, description=about))
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    options = getattr(args, 'cfg_options', ())
    return guarded(lambda: modules[args.command].run(args), options=options)
