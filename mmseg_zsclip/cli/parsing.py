"""Argument parsers whose errors name the nearest legal word."""

import argparse
import re
import sys
from difflib import get_close_matches
from pathlib import Path


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that answers a mistyped option or choice with the nearest one, and with
    the usage of the subcommand that it was given to. An empty word is an error: as a folder it
    would be the current one."""

    def parse_args(self, args=None, namespace=None):
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self._subparser(parsed).error(f'unrecognized arguments: {" ".join(unknown)}')
        return parsed

    def parse_known_args(self, args=None, namespace=None):
        self._given = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def _get_value(self, action: argparse.Action, arg_string: str):
        if not arg_string:
            raise argparse.ArgumentError(
                action, "it is '' (a variable of the shell without value?)"
            )
        return super()._get_value(action, arg_string)

    def error(self, message: str):
        super().error(message + self._hint(message))

    def _subparser(self, parsed: argparse.Namespace) -> argparse.ArgumentParser:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return action.choices.get(getattr(parsed, action.dest, None), self)
        return self

    def _hint(self, message: str) -> str:
        if message.startswith(('unrecognized arguments:', 'the following arguments are required:')):
            legal = [
                text
                for action in self._actions
                for text in action.option_strings
                if action.help != argparse.SUPPRESS
            ]
            words = re.findall(r'--?[\w-]+', message.partition(':')[2])
            if 'required' in message:  # of which one may have been mistyped
                words = [word.partition('=')[0] for word in self._given if word.startswith('--')]
                words = [word for word in words if not any(text.startswith(word) for text in legal)]
        else:
            words = re.findall(r"invalid choice: '([^']*)'", message)
            legal = [str(choice) for action in self._actions for choice in action.choices or ()]
        near = [match for word in words for match in get_close_matches(word, legal, 1, 0.5)]
        return f'. Did you mean {" ".join(near)}?' if near else ''


def converter_parser(description: str) -> Parser:
    """Parser with the options of every converter: `root` and `--nproc`."""
    parser = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='folder of the data set')
    parser.add_argument('--nproc', type=int, default=1, help='processes')
    return parser
